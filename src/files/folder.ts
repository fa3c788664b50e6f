/** Folders. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileFailure } from './failure.ts';
import { isFolder } from './read.ts';

/**
 * Makes a folder, and those above it, where they are missing.
 * @param mode of those that are made; the usual one if left out
 * @throws UserError if that fails
 */
export async function makeFolder(folder: string, mode?: number): Promise<void> {
  try {
    await makeBelow(path.resolve(folder), mode);
  } catch (error) {
    throw fileFailure('write', folder, error);
  }
}

/** One by one: where nothing can be made, as in /proc, `recursive` of Node.js 20 tries for ever. */
async function makeBelow(folder: string, mode: number | undefined): Promise<void> {
  if (isFolder(folder)) return;
  const above = path.dirname(folder);
  if (!existsSync(above)) await makeBelow(above, mode);
  await mkdir(folder, mode).catch((error: NodeJS.ErrnoException) => {
    // Somebody else may have been faster.
    if (error.code !== 'EEXIST' || !isFolder(folder)) throw error;
  });
}

/**
 * Makes a folder where it is missing, in one that is there: results that vanished with the folder
 * above are not to be half made anew.
 * @throws UserError if that fails
 */
export async function makeFolderWithin(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && isFolder(folder)) return;
    throw fileFailure('write', folder, error);
  }
}
