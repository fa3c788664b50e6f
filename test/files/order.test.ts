/** In which order files are written, synced and renamed, and what is left when that fails midway. */
import type * as promises from 'node:fs/promises';
import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { writeAtomic, writeTogether } from '../../src/files/atomic.ts';
import { temporaryFolder } from '../helpers/folder.ts';

/** What was done, in order; temporary files are numbered as they come. */
const spied = vi.hoisted(() => ({
  done: [] as string[],
  temporaries: [] as string[],
  /** Called before a file gets its name, and after. */
  naming: (_name: string): void => undefined,
  named: (_name: string): void => undefined,
}));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof promises>();
  const shown = (path: string): string => {
    if (path === folder) return 'folder';
    if (!path.endsWith('.tmp')) return basename(path);
    if (!spied.temporaries.includes(path)) spied.temporaries.push(path);
    return `new ${spied.temporaries.indexOf(path) + 1}`;
  };
  const open = async (path: string, flags: string): Promise<promises.FileHandle> => {
    const handle = await real.open(path, flags);
    const [sync, writeFile] = [handle.sync.bind(handle), handle.writeFile.bind(handle)];
    handle.sync = async () => {
      await sync();
      spied.done.push(`sync ${shown(path)}`);
    };
    handle.writeFile = async (content) => {
      spied.done.push(`write ${shown(path)}`);
      await setTimeout(2);
      await writeFile(content);
      spied.done.push(`written ${shown(path)}`);
    };
    return handle;
  };
  const rename = async (from: string, to: string): Promise<void> => {
    spied.naming(basename(to));
    await real.rename(from, to);
    spied.done.push(`rename ${shown(from)} to ${basename(to)}`);
    spied.named(basename(to));
  };
  const rm: typeof real.rm = async (path, options) => {
    await real.rm(path, options);
    spied.done.push(`rm ${shown(String(path))}`);
  };
  return { ...real, open, rename, rm };
});

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const read = (name: string): string => readFileSync(at(name), 'utf8');
const pair = (text: string) => [
  { path: at('data'), content: text },
  { path: at('names it'), content: text },
];
/** As another program would. */
function replace(name: string): void {
  writeFileSync(at('other'), 'of somebody else');
  renameSync(at('other'), at(name));
}

beforeEach(() => {
  Object.assign(spied, { naming: () => undefined, named: () => undefined });
  for (const list of [spied.done, spied.temporaries]) list.length = 0;
});

describe('on the disk is', () => {
  test('a whole file before it has its name, and then the name', async () => {
    await writeAtomic(at('a'), 'text');
    expect(spied.done).toEqual([
      'write new 1',
      'written new 1',
      'sync new 1',
      'rename new 1 to a',
      'sync folder',
    ]);
  });

  test('of two files never one that names another than the one beside it', async () => {
    await writeTogether(pair('text'));
    expect(spied.done).toEqual([
      'write new 1',
      'written new 1',
      'sync new 1',
      'write new 2',
      'written new 2',
      'sync new 2',
      'rm names it',
      'sync folder',
      'rename new 1 to data',
      'sync folder',
      'rename new 2 to names it',
      'sync folder',
    ]);
  });

  test('nothing for certain where that is not wanted, in the same order', async () => {
    await writeTogether(pair('text'), { sync: false });
    expect(spied.done.filter((what) => !what.startsWith('writ'))).toEqual([
      'rm names it',
      'rename new 1 to data',
      'rename new 2 to names it',
    ]);
  });

  test('one part after another, each while the next is made', async () => {
    const parts = function* () {
      for (const i of [1, 2, 3]) {
        spied.done.push(`make ${i}`);
        yield Uint8Array.of(i);
      }
    };
    await writeAtomic(at('parts'), parts());
    expect(spied.done.slice(0, 10)).toEqual([
      'make 1',
      'write new 1',
      'make 2',
      'written new 1',
      'write new 1',
      'make 3',
      'written new 1',
      'write new 1',
      'written new 1',
      'sync new 1',
    ]);
    expect([...readFileSync(at('parts'))]).toEqual([1, 2, 3]);
  });
});

describe('when files that belong together are written, and', () => {
  test.each([
    ['the first', 'data', 'old'],
    ['the last', 'names it', 'new'],
  ])('%s cannot get its name, none names the other', async (_, failing, data) => {
    await writeTogether(pair('old'));
    spied.naming = (name) => {
      if (name === failing) throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
    };
    const writing = writeTogether(pair('new'));
    await expect(writing).rejects.toThrow(`cannot write ${at(failing)}: no space left`);
    expect([read('data'), existsSync(at('names it'))]).toEqual([data, false]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('somebody else replaces the first, the last goes away', async () => {
    spied.named = (name) => name === 'data' && replace('data');
    const writing = writeTogether(pair('own'));
    await expect(writing).rejects.toThrow(UserError);
    await expect(writing).rejects.toThrow(`somebody else wrote ${at('data')} at the same time`);
    expect([read('data'), existsSync(at('names it'))]).toEqual(['of somebody else', false]);
  });

  test('somebody else replaces both, they stay', async () => {
    spied.named = (name) => replace(name);
    await expect(writeTogether(pair('own'))).rejects.toThrow(UserError);
    expect([read('data'), read('names it')]).toEqual(['of somebody else', 'of somebody else']);
  });
});
