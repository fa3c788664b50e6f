/** Where files lie. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';

/** Where a file lies, whatever links lead there: a result must not replace an input through one. */
export function placeOf(file: string): Promise<string> {
  return realpath(file).catch(() => path.resolve(file));
}

/** Whether two paths lead to one file. */
export async function sameFile(a: string, b: string): Promise<boolean> {
  return (await placeOf(a)) === (await placeOf(b));
}
