/** Files that are there whole or not at all. */

import { mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { writeAtomic, writeTogether } from '../../src/files/atomic.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

test('text and bytes, anew and in place of another file', async () => {
  await writeAtomic(at('a'), 'first, and longer');
  await writeAtomic(at('a'), Uint8Array.of(1, 2));
  expect(await readFile(at('a'))).toEqual(Buffer.of(1, 2));
  expect(await readdir(folder)).toEqual(['a']);
});

test('a name as long as the file system allows', async () => {
  await writeAtomic(at('n'.repeat(255)), 'x');
  await expect(writeAtomic(at('n'.repeat(256)), 'x')).rejects.toThrow('the name is too long');
});

test('a symbolic link keeps pointing', async () => {
  await writeFile(at('real'), 'old');
  await symlink('real', at('link'));
  await writeAtomic(at('link'), 'new');
  expect(await readlink(at('link'))).toBe('real');
  expect(await readFile(at('real'), 'utf8')).toBe('new');
});

test.each([
  ['none/a', 'no such file or folder'],
  ['file/a', 'part of its path is not a folder'],
  ['folder', 'it is not a regular file'],
])('%s is refused', async (name, reason) => {
  await mkdir(at('folder'), { recursive: true });
  await writeFile(at('file'), '');
  const writing = writeAtomic(at(name), 'x');
  await expect(writing).rejects.toThrow(UserError);
  await expect(writing).rejects.toThrow(`cannot write ${at(name)}: ${reason}`);
});

test('a failure leaves the old file and no temporary one', async () => {
  await writeFile(at('kept'), 'old');
  const failing = [{}] as Uint8Array[];
  await expect(writeAtomic(at('kept'), failing)).rejects.toThrow('cannot write');
  expect(await readFile(at('kept'), 'utf8')).toBe('old');
  expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('content in parts', async () => {
  await writeAtomic(at('parts'), [Uint8Array.of(1), Uint8Array.of(2, 3)]);
  expect(await readFile(at('parts'))).toEqual(Buffer.of(1, 2, 3));
});

test('a part that cannot be made leaves the old file and no temporary one', async () => {
  await writeFile(at('whole'), 'old');
  const parts = function* () {
    yield Uint8Array.of(1);
    throw new Error('no second part');
  };
  await expect(writeAtomic(at('whole'), parts())).rejects.toThrow('no second part');
  expect(await readFile(at('whole'), 'utf8')).toBe('old');
  expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

describe('files that belong together', () => {
  const pair = (text: string) => [
    { path: at('data'), content: text },
    { path: at('names it'), content: text },
  ];
  const both = () => Promise.all(['data', 'names it'].map((name) => readFile(at(name), 'utf8')));

  test('replace those of before, and leave nothing else', async () => {
    await writeTogether(pair('old'));
    await writeTogether(pair('new'));
    expect(await both()).toEqual(['new', 'new']);
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('stay as they were where the last one cannot be made', async () => {
    await writeTogether(pair('old'));
    const failing = { path: at('names it'), content: [{}] as Uint8Array[] };
    const writing = writeTogether([{ path: at('data'), content: 'new' }, failing]);
    await expect(writing).rejects.toThrow(`cannot write ${at('names it')}`);
    expect(await both()).toEqual(['old', 'old']);
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('are never there mixed, whoever else writes them', async () => {
    const writers = Array.from({ length: 12 }, (_, i) => writeTogether(pair(`${i}`)));
    const ends = await Promise.allSettled(writers);
    const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
    expect(reasons.filter((reason) => !(reason instanceof UserError))).toEqual([]);
    const [data, names] = await Promise.all(
      ['data', 'names it'].map((name) => readFile(at(name), 'utf8').catch(() => undefined)),
    );
    // Without the one that names it, the other means nothing.
    expect([data, undefined]).toContain(names);
  });
});
