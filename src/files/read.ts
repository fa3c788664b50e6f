/** Whole files in memory. */

import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileFailure } from './failure.ts';

/** Whether there is a file of that name, however long; a folder is none. */
export function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

/** Whether there is a folder of that name. */
export function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/** @throws UserError if the file cannot be read. */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw fileFailure('read', path, error);
  }
}
