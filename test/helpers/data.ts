/** Extra test data, which is not part of the project: golden values, networks, photographs. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = process.env['DSG_TEST_DATA'] ?? join(import.meta.dirname, '../../../shared');

/** The folder `sub` of the extra data, if it is there; tests that need it skip where it is not. */
export function testData(sub: string): string | undefined {
  const folder = join(root, sub);
  return existsSync(folder) ? folder : undefined;
}
