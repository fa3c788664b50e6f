/** What is left of an earlier result once another is in its place. */
import { rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { writeAtomic } from '../files/atomic.ts';
import { fileFailure } from '../files/failure.ts';
import { placeOf } from '../files/place.ts';
import { sha256 } from '../files/sha256.ts';
import {
  filesOf,
  readSidecar,
  sidecarPath,
  type Digested,
  type Kept,
  type ResultFiles,
} from './kept.ts';
import type { Places } from './replacing.ts';

/** What is known of a result besides its files. */
export interface Standing {
  /** Whether the output names it, see `Destination`. */
  readonly named: boolean;
  readonly read: Places;
}

/**
 * Writes the sidecar of a result whose files are there, and removes what an earlier one had besides.
 * @returns the paths of all
 * @throws UserError if it cannot be written, or something cannot be removed
 */
export async function writeSidecar(
  stem: string,
  document: Kept,
  standing: Standing,
): Promise<ResultFiles> {
  const sidecar = sidecarPath(stem);
  const earlier = (await readSidecar(sidecar))?.result;
  await writeAtomic(sidecar, `${JSON.stringify(document, undefined, 2)}\n`);
  const files = filesOf(sidecar, document);
  const before = earlier ? [earlier, ...earlier.others] : [];
  await removeReplaced(stem, { ...standing, before, now: [files.image, ...files.others] });
  return files;
}

/**
 * Removes the files that an earlier result had and the new one has not, lest they pass for its own. To be
 * called when the new one is whole. What was changed since, what the run reads, and what is not called
 * after the result in its own folder stays, whatever is said of the earlier one.
 * @param stem the path of the result without extension
 * @param run.now all files of the new result, as paths
 * @throws UserError for a file that cannot be removed
 */
export async function removeReplaced(
  stem: string,
  run: Standing & { readonly before: readonly Digested[]; readonly now: readonly string[] },
): Promise<void> {
  const own = path.dirname(stem);
  const now = new Set(run.now.map((file) => path.normalize(file)));
  const emptied = new Set<string>();
  // From the end: an operator record goes before what it names.
  for (const { file, sha256: digest } of run.before.toReversed()) {
    const found = path.join(own, file);
    if (now.has(found) || !found.startsWith(`${path.normalize(stem)}.`)) continue;
    if (run.named && path.parse(found).name === path.basename(stem)) continue;
    const place = await placeOf(found);
    // A link leads to what is somebody else's.
    const isLinked = place !== path.join(await placeOf(own), path.relative(own, found));
    if (isLinked || run.read.has(place) || !(await isStill(found, digest))) continue;
    await removing(found, () => rm(found));
    emptied.add(path.dirname(found));
  }
  emptied.delete(own);
  for (const folder of emptied) await removing(folder, () => rmdir(folder));
}

async function isStill(file: string, digest: string): Promise<boolean> {
  try {
    return (await sha256(file)) === digest;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

/** Another run may have been faster, and folders may hold what others put there. */
const harmless = new Set(['ENOENT', 'ENOTEMPTY', 'EEXIST']);

async function removing(file: string, remove: () => Promise<void>): Promise<void> {
  await remove().catch((error: NodeJS.ErrnoException) => {
    if (!harmless.has(error.code ?? '')) throw fileFailure('remove', file, error);
  });
}
