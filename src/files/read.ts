/** Whole files in memory. */

import { readFile } from 'node:fs/promises';
import { fileFailure } from './failure.ts';

/** @throws UserError if the file cannot be read. */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw fileFailure('read', path, error);
  }
}
