/** Files that are there whole or not at all. */

import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.ts';
import { fileFailure } from './failure.ts';
import { temporaryName } from './leftovers.ts';

/**
 * Writes a file under a temporary name in the same folder, syncs it, renames it to `path` and
 * syncs the folder, so that neither a crash nor a reader ever meets half a file, and what is
 * written stays written. A symbolic link keeps pointing.
 * @throws UserError if it cannot be written; what was there before is then untouched.
 */
export async function writeAtomic(path: string, content: Uint8Array | string): Promise<void> {
  try {
    const target = await resolveTarget(path);
    const temporary = join(dirname(target), temporaryName());
    try {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, target);
      await syncFolder(dirname(target));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
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
