/** What a run must not replace: files that it reads, and files that are not its own. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { cardPath } from '../card/read.ts';
import { placeOf, sameFile } from '../files/place.ts';
import { lookTogether } from '../files/together.ts';
import type { Destination } from './destination.ts';
import type { Input } from './inputs.ts';
import { readSidecar, sidecarPath } from './kept.ts';

const elsewhere = { hint: 'choose another folder with -o' };

/** What a run reads, in words, by where it lies; the folders of it too. */
export type Places = ReadonlyMap<string, string>;

/**
 * @param inputs the images that are worked on, also by other shards
 * @param files what is read besides
 */
export async function placesRead(
  inputs: readonly Input[],
  files: readonly string[],
): Promise<Places> {
  const taken = new Map<string, string>();
  const take = async (file: string, what: string): Promise<void> => {
    const place = await placeOf(file);
    for (const at of [place, path.dirname(place)]) if (!taken.has(at)) taken.set(at, what);
  };
  await lookTogether(inputs, ({ file }) => take(file, 'an input'));
  for (const file of files) await take(file, `${file}, which it is made from`);
  return taken;
}

/**
 * @param run.names of the images that are made
 * @param run.beside what is written besides the result of an image; of folders, all that they hold
 * @throws UserError for a file to be written that would replace one that is read
 */
export async function refuseReplacing(
  { result }: Destination,
  run: {
    readonly names: readonly string[];
    readonly read: Places;
    beside(name: string): readonly string[];
  },
): Promise<void> {
  if (run.read.size === 0) return;
  await lookTogether(run.names, async (name) => {
    for (const file of [result(name), ...run.beside(name)]) {
      // Nothing is replaced where nothing is, and asking for that is quicker than following links.
      const what = existsSync(file) ? run.read.get(await placeOf(file)) : undefined;
      if (what === undefined) continue;
      const written = file === result(name) ? 'the result' : 'what goes with the result';
      throw new UserError(`${file}: ${written} would replace ${what}`, elsewhere);
    }
  });
}

/** @throws UserError for a file that is in the way of an image's sidecar, and is none of dsg's */
export async function refuseForeignSidecars(
  { stem }: Destination,
  names: readonly string[],
): Promise<void> {
  await lookTogether(names, async (name) => {
    const file = sidecarPath(stem(name));
    if (existsSync(file) && !(await isOwn(file)))
      throw new UserError(
        `${file}: the result would replace it, and dsg did not write it`,
        elsewhere,
      );
  });
}

/**
 * @throws UserError for a file of `--card-file` that the card of the model to be written would replace,
 * or a card that lies there without a model, and so was written by hand
 */
export async function refuseReplacedCard(
  cardFile: string | undefined,
  output: string,
): Promise<void> {
  const card = cardPath(output);
  const given = cardFile !== undefined && (await sameFile(cardFile, card));
  if (given || (existsSync(card) && !existsSync(output)))
    throw new UserError(`${card}: the card of ${output} would replace it`, {
      hint: 'call one of them otherwise',
    });
}

/** How sidecars begin, also those that a full disk or a power cut left unfinished. */
const beginning = '{\n  "schema": 1,\n  "versions": {';

async function isOwn(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => '');
  // Unwritten blocks are read as NUL characters.
  if (text.startsWith(beginning) || beginning.startsWith(text)) return true;
  if (/^[\s\0]*$/.test(text)) return true;
  return (await readSidecar(file)) !== undefined;
}
