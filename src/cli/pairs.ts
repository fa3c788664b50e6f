/** Which result is compared with which reference. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { isFolder } from '../files/read.ts';
import { findImages, stemOf, type Input } from './inputs.ts';
import { refuseSameNames } from './same-names.ts';

export interface Pair {
  readonly name: string;
  readonly restored: string;
  readonly reference: string;
}

/** Two files whatever their names, or two folders by relative names. */
export async function findPairs(
  restored: string,
  reference: string,
): Promise<{ pairs: Pair[]; lonely: string[]; unused: string[] }> {
  const [one, other] = [isFolder(restored), isFolder(reference)];
  const missing = [restored, reference].find((given) => !existsSync(given));
  if (missing !== undefined) throw new UserError(`cannot read ${missing}: no such file or folder`);
  if (one !== other)
    throw new UserError(
      `${restored} is a ${one ? 'folder' : 'file'}, ${reference} a ${other ? 'folder' : 'file'}`,
      { hint: 'give two images, or two folders' },
    );
  if (!one)
    return {
      pairs: [{ name: stemOf(path.basename(restored)), restored, reference }],
      lonely: [],
      unused: [],
    };
  const results = await imagesIn(restored);
  const references = await imagesIn(reference);
  const byName = new Map(references.map((i) => [i.name.normalize('NFC'), i.file]));
  const pairs: Pair[] = [];
  const lonely: string[] = [];
  for (const { name, file } of results) {
    const match = byName.get(name.normalize('NFC'));
    byName.delete(name.normalize('NFC'));
    if (match === undefined) lonely.push(file);
    else pairs.push({ name, restored: file, reference: match });
  }
  return { pairs, lonely, unused: [...byName.keys()] };
}

async function imagesIn(folder: string): Promise<Input[]> {
  const images = await findImages([folder]);
  const remedy = () => 'rename one of them, or move it out of the folder';
  refuseSameNames(images, 'images are matched by name', remedy);
  return images;
}
