/** Which temporary files are taken for those of killed runs. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeLeftovers, temporaryName } from '../../src/files/leftovers.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const own = temporaryName();
const elsewhere = (name: string): string => name.replace(/^\.dsg-[0-9a-f]{8}/, '.dsg-01234567');
/** Of a process that has come and gone. */
const gone = `-${spawnSync(process.execPath, ['-e', '']).pid}-`;
const dead = own.replace(`-${process.pid}-`, gone);

const minutes = (age: number): number => Date.now() / 1000 - 60 * age;

test.each<[what: string, name: string, age: number, stays: boolean]>([
  ['of this process', own, 0, true],
  ['of this process, however old', own, 1000, true],
  ['of a process of this machine that is gone', dead, 0, false],
  // Process numbers of another machine say nothing here.
  ['of another machine', elsewhere(own), 0, true],
  ['of another machine, with the number of a process that is gone here', elsewhere(dead), 0, true],
  ['of another machine, an hour old but for a minute', elsewhere(dead), 59, true],
  ['of another machine, older than an hour', elsewhere(own), 61, false],
  ['of something else', dead.replace('.dsg-', '.psg-'), 1000, true],
  ['with more in its name', `${dead}.png`, 1000, true],
])('what is %s', async (_, name, age, stays) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, name), '');
  utimesSync(join(folder, name), minutes(age), minutes(age));
  await removeLeftovers(folder);
  expect(readdirSync(folder)).toEqual(stays ? [name] : []);
});

test('folders go with what is in them, and a folder that is not there is no failure', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, dead, 'within'), { recursive: true });
  await removeLeftovers(folder);
  expect(readdirSync(folder)).toEqual([]);
  await removeLeftovers(join(folder, 'none'));
});
