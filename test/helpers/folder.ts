/** A temporary folder for a test file, removed at its end. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dsg-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
