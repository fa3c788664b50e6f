/** JSON files. */
import { UserError } from '../errors.ts';
import { readBytes } from './read.ts';

/** @throws UserError if the file cannot be read, or is not JSON */
export async function readJson(file: string): Promise<unknown> {
  const text = (await readBytes(file)).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UserError(`${file}: not JSON: ${(cause as Error).message}`, { cause });
  }
}
