/** Folders. */
import { mkdir } from 'node:fs/promises';
import { fileFailure } from './failure.ts';

/** Makes a folder, and those above it, where they are missing. @throws UserError if that fails */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileFailure('write', folder, error);
  }
}
