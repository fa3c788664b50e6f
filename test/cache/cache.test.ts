import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { idOf, openCache, type Cache } from '../../src/cache/cache.ts';
import { UserError } from '../../src/errors.ts';
import { temporaryName } from '../../src/files/leftovers.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const root = temporaryFolder();
let count = 0;

interface Opened {
  readonly cache: Cache;
  readonly folder: string;
  readonly notes: string[];
}

function open({ folder = join(root, String(++count)), limit = 1e9 } = {}): Opened {
  const notes: string[] = [];
  return { cache: openCache({ folder, limit, note: (line) => notes.push(line) }), folder, notes };
}

/** Sets when an entry was last used. */
function used(folder: string, key: object, hour: number): void {
  utimesSync(join(folder, 'graphs', idOf(key), 'entry.json'), hour * 3600, hour * 3600);
}

/** Makes an entry of one file; tells whether it had to be made. */
async function ask(cache: Cache, key: object, content = 'content'): Promise<boolean> {
  let made = false;
  const entry = await cache.entry(key, async () => async (folder) => {
    made = true;
    writeFileSync(join(folder, 'file'), content);
    return { of: key };
  });
  expect(readFileSync(join(entry?.folder ?? '', 'file'), 'utf8')).toBe(content);
  expect(entry?.about).toEqual({ of: key });
  return made;
}

test('an entry is made once, also for another process', async () => {
  const { cache, folder, notes } = open();
  expect(await ask(cache, { a: 1 })).toBe(true);
  expect(await ask(cache, { a: 1 })).toBe(false);
  expect(await ask(cache, { a: 2 })).toBe(true);
  expect(await ask(open({ folder }).cache, { a: 1 })).toBe(false);
  expect(notes).toEqual([]);
});

test('the same key asked for at the same time is made once', async () => {
  const { cache } = open();
  const made = await Promise.all([1, 2, 3].map(() => ask(cache, { a: 1 })));
  expect(made.filter(Boolean)).toHaveLength(1);
});

test('two processes that make the same entry both get a whole one', async () => {
  const { cache, folder } = open();
  const other = open({ folder }).cache;
  await Promise.all([ask(cache, { a: 1 }), ask(other, { a: 1 })]);
  expect(readdirSync(join(folder, 'graphs'))).toEqual([idOf({ a: 1 })]);
});

const damages: readonly [string, (entry: string) => void, RegExp][] = [
  ['truncated', (entry) => truncateSync(join(entry, 'file'), 3), /file has 3 bytes instead of 7/],
  ['changed', (entry) => writeFileSync(join(entry, 'file'), 'contenT'), /file was changed/],
  ['without one of its files', (entry) => rmSync(join(entry, 'file')), /ENOENT/],
  ['without its description', (entry) => rmSync(join(entry, 'entry.json')), /ENOENT/],
  ['no JSON', (entry) => writeFileSync(join(entry, 'entry.json'), '{'), /JSON/],
  [
    'of another schema',
    (entry) => writeFileSync(join(entry, 'entry.json'), '{"schema":2}'),
    /schema/,
  ],
];

test.each(damages)('an entry that is %s is made again, with a note', async (_, damage, reason) => {
  const { cache, folder, notes } = open();
  await ask(cache, { a: 1 });
  damage(join(folder, 'graphs', idOf({ a: 1 })));
  expect(await ask(cache, { a: 1 })).toBe(true);
  expect(notes).toEqual([expect.stringMatching(reason)]);
  expect(await ask(cache, { a: 1 })).toBe(false);
});

test('an entry that belongs to another key is made again, with a note', async () => {
  const { cache, folder, notes } = open();
  await ask(cache, { a: 1 });
  const at = (key: object): string => join(folder, 'graphs', idOf(key));
  cpSync(at({ a: 1 }), at({ a: 2 }), { recursive: true });
  expect(await ask(cache, { a: 2 })).toBe(true);
  expect(notes).toEqual([expect.stringContaining('it is of something else')]);
});

test('what was used longest ago goes when there is too much', async () => {
  const { cache, folder } = open({ limit: 20 });
  await ask(cache, { a: 1 });
  await ask(cache, { a: 2 });
  used(folder, { a: 1 }, 2);
  used(folder, { a: 2 }, 1);
  await ask(cache, { a: 3 });
  expect(await ask(cache, { a: 1 })).toBe(false);
  expect(await ask(cache, { a: 2 })).toBe(true);
});

test('to be found is to be used', async () => {
  const { cache, folder } = open({ limit: 20 });
  await ask(cache, { a: 1 });
  await ask(cache, { a: 2 });
  used(folder, { a: 1 }, 1);
  used(folder, { a: 2 }, 2);
  expect(await ask(cache, { a: 1 })).toBe(false);
  await ask(cache, { a: 3 });
  expect(await ask(cache, { a: 1 })).toBe(false);
  expect(await ask(cache, { a: 2 })).toBe(true);
});

test('an entry beyond the limit is not kept, which is noted', async () => {
  const { cache, notes } = open({ limit: 5 });
  const fill = async (at: string): Promise<void> => writeFileSync(join(at, 'file'), '123456');
  const made = await cache.entry({ a: 1 }, async () => fill);
  expect(made).toBeUndefined();
  expect(notes).toEqual([expect.stringMatching(/6 bytes are not kept, DSG_CACHE_SIZE is 5/)]);
  expect(await cache.list()).toEqual([]);
});

test('where nothing can be written there is no cache, which is noted once', async () => {
  const file = join(root, 'file');
  writeFileSync(file, '');
  const { cache, notes } = open({ folder: join(file, 'below') });
  for (const a of [1, 2])
    expect(await cache.entry({ a }, async () => async () => ({}))).toBeUndefined();
  expect(notes).toEqual([
    expect.stringMatching(/^cache: nothing is kept in .*part of its path is not a folder/),
  ]);
});

test('what making an entry throws is thrown, and nothing is left', async () => {
  const { cache, folder } = open();
  const failing = cache.entry({ a: 1 }, async () => {
    throw new RangeError('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(existsSync(folder)).toBe(false);
  expect(await ask(cache, { a: 1 })).toBe(true);
});

test('an entry that cannot be written is done without, which is noted once', async () => {
  const { cache, folder, notes } = open();
  const full = async (at: string): Promise<void> => {
    writeFileSync(join(at, 'file'), 'half');
    throw new UserError('Protobuf serialization failed.');
  };
  for (const a of [1, 2]) expect(await cache.entry({ a }, async () => full)).toBeUndefined();
  expect(notes).toEqual([`cache: nothing is kept in ${folder}: Protobuf serialization failed.`]);
  expect(readdirSync(join(folder, 'graphs'))).toEqual([]);
});

test('what killed processes left is removed', async () => {
  const { cache, folder } = open();
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  const name = temporaryName().replace(`-${process.pid}-`, `-${dead}-`);
  mkdirSync(join(folder, 'graphs', name, 'sub'), { recursive: true });
  await ask(cache, { a: 1 });
  expect(readdirSync(join(folder, 'graphs'))).toEqual([idOf({ a: 1 })]);
});

test('listing and clearing leave alone what is not the cache’s', async () => {
  const { cache, folder } = open();
  await ask(cache, { a: 1 });
  await ask(cache, { a: 2 });
  used(folder, { a: 1 }, 1);
  // So may files of somebody who named a folder that was in use.
  const mine = ['mine', 'graphs/mine/entry.json', 'graphs/plot.png', 'digests/mine.json'];
  for (const name of mine) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), '');
  }
  const working = join(folder, 'graphs', temporaryName());
  mkdirSync(working);
  const listed = await cache.list();
  expect(listed.map(({ about, bytes }) => ({ about, bytes }))).toEqual([
    { about: { of: { a: 2 } }, bytes: 7 },
    { about: { of: { a: 1 } }, bytes: 7 },
  ]);
  expect(await cache.clear()).toBe(14);
  for (const name of mine) expect(existsSync(join(folder, name))).toBe(true);
  expect(existsSync(working)).toBe(true);
  expect(await cache.list()).toEqual([]);
});

test('what is not the cache’s does not go to make room', async () => {
  const { cache, folder } = open({ limit: 10 });
  mkdirSync(join(folder, 'graphs', 'mine'), { recursive: true });
  for (const a of [1, 2]) await ask(cache, { a });
  expect(readdirSync(join(folder, 'graphs')).sort()).toEqual([idOf({ a: 2 }), 'mine'].sort());
});

test('a digest is computed again only if the file changed', async () => {
  const { cache, folder } = open();
  const file = join(root, 'model');
  writeFileSync(file, 'one');
  let computed = 0;
  const digest = (): Promise<string> =>
    cache.ofFile(file, async (name) => {
      computed++;
      return readFileSync(name, 'utf8');
    });
  // A file that changed just now may do so again within the clock's grain.
  expect([await digest(), await digest(), computed]).toEqual(['one', 'one', 2]);
  utimesSync(file, 1000, 1000);
  expect([await digest(), await digest(), computed]).toEqual(['one', 'one', 3]);
  writeFileSync(file, 'two');
  utimesSync(file, 1001, 1001);
  expect([await digest(), await digest(), computed]).toEqual(['two', 'two', 4]);
  const [note = ''] = readdirSync(join(folder, 'digests'));
  writeFileSync(join(folder, 'digests', note), 'damaged');
  expect([await digest(), computed]).toEqual(['two', 5]);
});
