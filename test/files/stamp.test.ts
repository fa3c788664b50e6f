import { linkSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { firstChanged, stampsOf } from '../../src/files/stamp.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const root = temporaryFolder();
let count = 0;

test.each<[what: string, change: (file: string) => void, changed: boolean]>([
  ['nothing', () => undefined, false],
  ['another link to it', (file) => linkSync(file, `${file}.link`), false],
  ['written to', (file) => writeFileSync(file, 'longer'), true],
  ['another time of change', (file) => utimesSync(file, 1000, 1000), true],
  ['gone', (file) => rmSync(file), true],
  [
    'replaced by one as long and as old',
    (file) => {
      writeFileSync(`${file}.new`, 'two');
      for (const each of [file, `${file}.new`]) utimesSync(each, 2000, 2000);
      renameSync(`${file}.new`, file);
    },
    true,
  ],
])('%s', async (_, change, changed) => {
  const folder = join(root, String(++count));
  mkdirSync(folder);
  const [file, later] = [join(folder, 'file'), join(folder, 'later')];
  writeFileSync(file, 'one');
  utimesSync(file, 2000, 2000);
  const stamps = await stampsOf([file, later]);
  writeFileSync(later, 'was not there');
  change(file);
  expect(await firstChanged([later, file], stamps)).toBe(changed ? file : undefined);
});
