/** Files that are there whole or not at all. */

import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.ts';
import { fileFailure } from './failure.ts';
import { temporaryName } from './leftovers.ts';

/** What goes into a file; of parts, which follow one another, no more than two need be in memory. */
export type Content = Uint8Array | string | Iterable<Uint8Array>;

export interface AtomicFile {
  readonly path: string;
  readonly content: Content;
}

/**
 * Writes a file under a temporary name in the same folder, syncs it, renames it to `path` and
 * syncs the folder, so that neither a crash nor a reader ever meets half a file, and what is
 * written stays written. A symbolic link keeps pointing.
 * @throws UserError if it cannot be written; what was there before is then untouched.
 */
export async function writeAtomic(path: string, content: Content): Promise<void> {
  await writeTogether([{ path, content }]);
}

/**
 * Writes files that mean something together only, each as `writeAtomic` does, the one that names the
 * others last. No file system renames two at once: so the last one of before goes away first, and a
 * crash in between leaves it missing, never beside files of another writing.
 * @param options.sync false for what need not outlive a power cut
 * @throws UserError if one cannot be written, what was there before being untouched; or if somebody
 * else wrote the same files meanwhile, the last one being gone
 */
export async function writeTogether(
  files: readonly AtomicFile[],
  { sync = true }: { readonly sync?: boolean } = {},
): Promise<void> {
  const staged: Staged[] = [];
  try {
    for (const { path, content } of files)
      await located(path, async () => {
        const target = await resolveTarget(path);
        const temporary = join(dirname(target), temporaryName());
        // Noted before it is there, so that it goes away whatever happens.
        const file = { path, target, temporary, inode: 0n };
        staged.push(file);
        file.inode = await fill(temporary, content, sync);
      });
    const last = staged.at(-1);
    const others = staged.slice(0, -1);
    if (last && others.length > 0)
      await located(last.path, async () => {
        await rm(last.target, { force: true });
        if (sync) await syncFolder(dirname(last.target));
      });
    for (const { path, target, temporary } of staged)
      await located(path, async () => {
        await rename(temporary, target);
        if (sync) await syncFolder(dirname(target));
      });
    for (const other of others) if (last) await refuseReplaced(other, last);
  } catch (error) {
    for (const { temporary } of staged) await rm(temporary, { force: true });
    throw error;
  }
}

interface Staged {
  /** As it was given, for messages. */
  readonly path: string;
  readonly target: string;
  readonly temporary: string;
  /** Of the file that was written, whatever its name. */
  inode: bigint;
}

async function fill(temporary: string, content: Content, sync: boolean): Promise<bigint> {
  const file = await open(temporary, 'wx');
  try {
    if (typeof content === 'string' || content instanceof Uint8Array) await file.writeFile(content);
    else await writeParts(file, content);
    if (sync) await file.sync();
    return (await file.stat({ bigint: true })).ino;
  } finally {
    await file.close();
  }
}

/** While one part is written, the next is made. */
async function writeParts(file: FileHandle, parts: Iterable<Uint8Array>): Promise<void> {
  let writing: Promise<void> | undefined;
  for (const part of parts) {
    await writing;
    writing = file.writeFile(part);
    // What went wrong is told when it is waited for; if the next part cannot be made, that is.
    writing.catch(() => undefined);
  }
  await writing;
}

/** Of two writers at once, the one that finds the other's file in place of its own says so. */
async function refuseReplaced(file: Staged, last: Staged): Promise<void> {
  if (await isThere(file)) return;
  if (await isThere(last)) await rm(last.target, { force: true });
  throw new UserError(
    `cannot write ${last.path}: somebody else wrote ${file.path} at the same time`,
    { hint: 'run it again when nothing else writes there' },
  );
}

async function isThere({ target, inode }: Staged): Promise<boolean> {
  const found = await stat(target, { bigint: true }).catch(() => undefined);
  return found?.ino === inode;
}

async function located<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw fileFailure('write', path, error);
  }
}

/** What systems say that cannot sync folders, or will not let this user. */
const unsyncable = new Set(['EINVAL', 'ENOTSUP', 'EISDIR', 'EACCES', 'EPERM']);

/** A new name is lost in a power cut until its folder is synced. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (!unsyncable.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Renaming would replace a link by a file, and a device such as /dev/stdout too. */
async function resolveTarget(path: string): Promise<string> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!found) return path;
  if (!found.isFile()) throw new UserError(`cannot write ${path}: it is not a regular file`);
  return realpath(path);
}
