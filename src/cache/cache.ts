/** What was derived before, by what it was derived from: kept in folders, whole or not at all. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../files/folder.ts';
import { removeLeftovers, temporaryName } from '../files/leftovers.ts';
import { describe, descriptionFile, seal, sizeOf, verify } from './entry.ts';
import { forgetDigests, remembered } from './digests.ts';
import type { Place } from './place.ts';

/** An entry in use. */
export interface Entry {
  readonly folder: string;
  readonly about: unknown;
}

/** An entry as it is listed. */
export interface Listed {
  readonly key: string;
  readonly about: unknown;
  readonly bytes: number;
  readonly used: Date;
}

/** Leaves files in a folder, and gives what is to be said of them. */
export type Fill = (folder: string) => Promise<unknown>;

export interface Cache {
  readonly place: Place;
  /**
   * The entry of a key. If there is none, or it is damaged, `make` is asked for what fills an empty
   * folder. The same key is made once at a time in a process; other processes may make it too, and the
   * first to finish counts.
   * @param key anything that JSON holds; equal JSON means the same entry
   * @returns undefined where nothing can be kept, as where the disk is full, which was noted
   * @throws what `make` throws; what filling the folder throws counts as nothing to be kept
   */
  entry(key: object, make: () => Promise<Fill>): Promise<Entry | undefined>;
  /**
   * What `compute` makes of a file's content, remembered for as long as the file keeps its size and
   * time of change.
   */
  ofFile(file: string, compute: (file: string) => Promise<string>): Promise<string>;
  /** Forgets an entry that turned out to be of no use. */
  drop(key: object, reason: string): Promise<void>;
  /** Last used first. */
  list(): Promise<Listed[]>;
  /** @returns bytes freed */
  clear(): Promise<number>;
}

export interface CacheOptions extends Place {
  /** Told of what goes on without the cache, or in spite of it. */
  readonly note?: (line: string) => void;
}

/** Opens a cache; nothing is written before there is something to keep. */
export function openCache({ folder, limit, note = () => undefined }: CacheOptions): Cache {
  const entries = path.join(folder, 'graphs');
  const digests = path.join(folder, 'digests');
  const at = (id: string): string => path.join(entries, id);
  const making = new Map<string, Promise<Entry | undefined>>();
  let noted = false;

  async function find(id: string): Promise<Entry | undefined> {
    try {
      const found = await describe(at(id), id);
      await verify(at(id), found);
      await touch(path.join(at(id), descriptionFile));
      return { folder: at(id), about: found.about };
    } catch (error) {
      // That there is no entry yet is no damage.
      if (await isThere(at(id))) await forget(id, (error as Error).message);
      return undefined;
    }
  }

  async function forget(id: string, reason: string): Promise<void> {
    note(`cache: ${at(id)} is damaged and is made again: ${reason}`);
    await discard(at(id));
  }

  async function store(id: string, fill: Fill): Promise<Entry | undefined> {
    const temporary = at(temporaryName());
    try {
      await makeFolder(path.dirname(temporary), 0o700);
      await mkdir(temporary, 0o700);
      const about = await fill(temporary);
      const sealed = await seal(temporary, id, about);
      if (sizeOf(sealed) > limit) {
        note(
          `cache: ${sizeOf(sealed)} bytes are not kept, DSG_CACHE_SIZE is ${limit} (${entries})`,
        );
        return undefined;
      }
      await moveInto(temporary, id);
      await makeRoom(id);
      return { folder: at(id), about };
    } catch (error) {
      // The disk may be full, and whoever fills says so in words of its own; a fault of what was to be
      // kept shows without the cache too.
      if (!noted) note(`cache: nothing is kept in ${folder}: ${(error as Error).message}`);
      noted = true;
      return undefined;
    } finally {
      await discard(temporary);
    }
  }

  /** Puts a finished entry in its place, unless another process was faster. */
  async function moveInto(temporary: string, id: string): Promise<void> {
    try {
      await rename(temporary, at(id));
    } catch (error) {
      if (!(await find(id))) throw error;
    }
  }

  /** Removes what was used longest ago until the rest fits, and what killed processes left. */
  async function makeRoom(newest: string): Promise<void> {
    await removeLeftovers(entries);
    let total = 0;
    for (const { key, bytes } of await list()) {
      total += bytes;
      if (total > limit && key !== newest) await discard(at(key));
    }
  }

  async function list(): Promise<Listed[]> {
    const found: Listed[] = [];
    for (const key of await namesIn(entries)) {
      if (!isId(key)) continue;
      const [described, used] = await Promise.all([
        describe(at(key), key).catch((): undefined => undefined),
        stat(path.join(at(key), descriptionFile)).catch((): undefined => undefined),
      ]);
      const { about = {}, bytes } = described
        ? { about: described.about, bytes: sizeOf(described) }
        : { bytes: 0 };
      found.push({ key, about, bytes, used: used?.mtime ?? new Date(0) });
    }
    return found.toSorted((a, b) => b.used.getTime() - a.used.getTime());
  }

  return {
    place: { folder, limit },
    entry(key, make) {
      const id = idOf(key);
      const going = making.get(id);
      if (going) return going;
      const made = (async () => (await find(id)) ?? (await store(id, await make())))();
      making.set(id, made);
      const done = (): unknown => making.delete(id);
      made.then(done, done);
      return made;
    },
    ofFile: (file, compute) => remembered(digests, file, compute),
    drop: (key, reason) => forget(idOf(key), reason),
    list,
    async clear() {
      const before = await list();
      for (const { key } of before) await discard(at(key));
      await forgetDigests(digests);
      // The folders may be some that the user keeps other things in, and other processes may be at work.
      for (const own of [entries, digests]) {
        await removeLeftovers(own);
        await rmdir(own).catch(() => undefined);
      }
      return before.reduce((n, { bytes }) => n + bytes, 0);
    },
  };
}

/** SHA-256 of a key's JSON, in hexadecimal. */
export function idOf(key: object): string {
  return createHash('sha256').update(JSON.stringify(key)).digest('hex');
}

/** Whether an entry may have that name. */
function isId(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

/** Marks a file as used now. */
async function touch(file: string): Promise<void> {
  const now = new Date();
  // On a file system that is read-only the order of use is not kept.
  await utimes(file, now, now).catch(() => undefined);
}

/** Removes a folder, as far as other processes let go of it. */
async function discard(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
}

async function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}

function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
