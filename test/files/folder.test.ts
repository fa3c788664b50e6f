/** Folders are made with those above them, or an error says which could not be. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeFolder } from '../../src/files/folder.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const base = temporaryFolder();

it('with all that is missing above', async () => {
  await makeFolder(join(base, 'a/b/c'));
  expect(statSync(join(base, 'a/b/c')).isDirectory()).toBe(true);
});

it('by several at once', async () => {
  await Promise.all(Array.from({ length: 8 }, () => makeFolder(join(base, 'd/e'))));
  expect(statSync(join(base, 'd/e')).isDirectory()).toBe(true);
});

it.skipIf(process.platform === 'win32')('of a mode', async () => {
  await makeFolder(join(base, 'private/own'), 0o700);
  expect(statSync(join(base, 'private')).mode & 0o777).toBe(0o700);
});

it('not where a file is in the way', async () => {
  writeFileSync(join(base, 'file'), '');
  await expect(makeFolder(join(base, 'file'))).rejects.toThrow('a file of that name is in the way');
  await expect(makeFolder(join(base, 'file/below'))).rejects.toThrow('is not a folder');
});

it.skipIf(!existsSync('/proc/self'))('nor where nothing can be made', async () => {
  await expect(makeFolder('/proc/dsg/out')).rejects.toThrow('cannot write /proc/dsg/out');
});
