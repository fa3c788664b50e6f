import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { linkedCuda } from '../../src/session/inventory.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const root = temporaryFolder();

const table = (version: number): string =>
  `\0libcurand.so.10\0libcudart.so.${version}\0libc.so.6\0`;

test.each([
  ['12', table(12), 12],
  ['13', table(13), 13],
  ['12, and names 13 in its data', table(12) + ' '.repeat(2 ** 20) + table(13), 12],
  ['no version that it tells', '', 12],
])('a provider linked against CUDA %s', (name, content, version) => {
  const file = join(root, `${name}.so`);
  writeFileSync(file, `\x7fELF${content}`);
  expect(linkedCuda(file)).toBe(version);
});
