/** Temporary folders of a test file, removed at its end. */

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const folders: string[] = [];

// Here and not where a folder is made: within a test, a hook that is registered is never run.
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** By the name that the system itself gives it, also where the folder for such is a symbolic link. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'dsg-test-'));
  folders.push(folder);
  return folder;
}
