/** Results where inputs are looked for: they may go beside their inputs, and are none themselves. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { placeOf } from '../files/place.ts';
import { lookTogether } from '../files/together.ts';
import { recordedMeasurements } from '../pipeline/record.ts';
import { stemsIn } from './destination.ts';
import type { Input } from './inputs.ts';
import { readSidecar, sidecarPath } from './kept.ts';

/** What a run starts from; to `clean` images, measurements are results as restorations are. */
export type Origin = 'clean' | 'measurements';

/**
 * The results of earlier runs among what was searched for. They lie where this run puts a result of
 * something that was found, in whatever format, and what lies beside them says that dsg made them. What
 * lies elsewhere may be worked on, whoever made it.
 */
export async function ownResults(
  found: readonly Input[],
  searched: readonly Input[],
  { output, from }: { readonly output: string; readonly from: Origin },
): Promise<Set<Input>> {
  const stem = stemsIn(output);
  const placed = placesByFolder();
  const taken = new Set(await lookTogether(found, ({ name }) => placed(stem(name))));
  const isOwn = async ({ file }: Input): Promise<boolean> => {
    const own = file.slice(0, file.length - path.extname(file).length);
    return taken.has(await placed(own)) && (await isMade(own, path.basename(file), from));
  };
  const own = await lookTogether(searched, isOwn);
  return new Set(searched.filter((_, i) => own[i]));
}

async function isMade(stem: string, file: string, from: Origin): Promise<boolean> {
  const sidecar = sidecarPath(stem);
  if (existsSync(sidecar) && (await readSidecar(sidecar))?.result.file === file) return true;
  if (from === 'measurements') return false;
  return (await recordedMeasurements(stem)).some((measurement) => measurement.file === file);
}

/** Where paths lead, whatever links there are among their folders, each of which is followed once. */
function placesByFolder(): (file: string) => Promise<string> {
  const folders = new Map<string, Promise<string>>();
  return async (file) => {
    const folder = path.dirname(file);
    const place = folders.get(folder) ?? placeOf(folder);
    folders.set(folder, place);
    return path.join(await place, path.basename(file));
  };
}
