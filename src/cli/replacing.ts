/** What a run must not replace: files that it reads, and files that are not its own. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { placeOf } from '../files/place.ts';
import type { Destination } from './destination.ts';
import type { Input } from './inputs.ts';
import { readSidecar } from './resuming.ts';

const elsewhere = { hint: 'choose another folder with -o' };

/**
 * @param run.reads files besides the inputs
 * @param run.beside what is written besides the result of an image; of folders, all that they hold
 * @throws UserError for a file to be written that would replace one that is read
 */
export async function refuseReplacing(
  { result }: Destination,
  run: {
    readonly inputs: readonly Input[];
    readonly reads: readonly string[];
    beside(name: string): readonly string[];
  },
): Promise<void> {
  const taken = new Map<string, string>();
  const take = async (file: string, what: string): Promise<void> => {
    const place = await placeOf(file);
    for (const at of [place, path.dirname(place)]) if (!taken.has(at)) taken.set(at, what);
  };
  for (const { file } of run.inputs) await take(file, 'an input');
  for (const file of run.reads) await take(file, `${file}, which it is made from`);
  for (const { name } of run.inputs)
    for (const file of [result(name), ...run.beside(name)]) {
      // Nothing is replaced where nothing is, and asking for that is quicker than following links.
      const what = existsSync(file) ? taken.get(await placeOf(file)) : undefined;
      if (what === undefined) continue;
      const written = file === result(name) ? 'the result' : 'what goes with the result';
      throw new UserError(`${file}: ${written} would replace ${what}`, elsewhere);
    }
}

/** @throws UserError for a file that is in the way of an image's sidecar, and is none of dsg's */
export async function refuseForeignSidecars(
  { stem }: Destination,
  inputs: readonly Input[],
): Promise<void> {
  for (const { name } of inputs) {
    const file = `${stem(name)}.json`;
    if (existsSync(file) && !(await isOwn(file)))
      throw new UserError(
        `${file}: the result would replace it, and dsg did not write it`,
        elsewhere,
      );
  }
}

/** How sidecars begin, by which those are told that a full disk or a power cut left unfinished. */
const beginning = '{\n  "schema": 1,\n  "versions": {';

async function isOwn(file: string): Promise<boolean> {
  if (await readSidecar(file)) return true;
  const text = await readFile(file, 'utf8').catch(() => '');
  // Unwritten blocks are read as NUL characters.
  if (/^[\s\0]*$/.test(text)) return true;
  return !isJson(text) && text.startsWith(beginning.slice(0, text.length));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
