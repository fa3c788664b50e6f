/** Folders. */
import { mkdir } from 'node:fs/promises';
import { fileFailure } from './failure.ts';
import { isFolder } from './read.ts';

/** Makes a folder, and those above it, where they are missing. @throws UserError if that fails */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileFailure('write', folder, error);
  }
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
