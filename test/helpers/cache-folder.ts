/** A cache for the whole test run, so that no test reads or writes the user's own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'dsg-test-cache-'));
  process.env['DSG_CACHE'] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
