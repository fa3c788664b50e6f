/** JSON files. */
import { UserError } from '../errors.ts';
import { readBytes } from './read.ts';

/** @throws UserError if the file cannot be read, or is not JSON */
export async function readJson(file: string): Promise<unknown> {
  return parseJson((await readBytes(file)).toString('utf8'), file);
}

/** @throws UserError if the text is not JSON. @param where it comes from */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UserError(`${where}: not JSON: ${(cause as Error).message}`, { cause });
  }
}
