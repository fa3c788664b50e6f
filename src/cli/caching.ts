/** The cache of derived graphs: opened for commands that sample, shown, cleared. */
import path from 'node:path';
import { openCache, type Cache, type Listed } from '../cache/cache.ts';
import { cachePlace } from '../cache/place.ts';
import type { About } from '../pipeline/prepared.ts';
import type { CacheValues } from './commands/cache.ts';
import type { Io } from './io.ts';

/**
 * The cache that the environment asks for; what goes wrong with it is noted.
 * @throws UserError for a DSG_CACHE_SIZE that is none
 */
export function cacheFor({ env }: Io, note: (line: string) => void): Cache | undefined {
  const place = cachePlace(env);
  return place && openCache({ ...place, note: (line) => note(`note: ${line}`) });
}

/** @returns the exit code */
export async function showCache({ clear, json }: CacheValues, io: Io): Promise<number> {
  const say = (line: string): unknown => io.stdout.write(`${line}\n`);
  const cache = cacheFor(io, (line) => io.stderr.write(`${line}\n`));
  if (!cache) {
    say(json ? JSON.stringify({ folder: null }) : 'the cache is off (DSG_CACHE=off)');
    return 0;
  }
  const { folder, limit } = cache.place;
  if (clear) {
    const freed = await cache.clear();
    say(json ? JSON.stringify({ folder, freed }) : `${folder}: ${showBytes(freed)} freed`);
    return 0;
  }
  const entries = await cache.list();
  const bytes = entries.reduce((n, e) => n + e.bytes, 0);
  if (json) {
    const shown = entries.map(({ about, ...rest }) => ({ ...rest, ...(about as About) }));
    say(JSON.stringify({ folder, limit, bytes, entries: shown }, undefined, 2));
    return 0;
  }
  say(`${folder}: ${showBytes(bytes)} of ${showBytes(limit)}, ${entries.length} graphs`);
  for (const entry of entries) say(line(entry));
  return 0;
}

function line({ about, bytes, used }: Listed): string {
  const { model = '', graph = 'damaged', device = '', shapes = {} } = about as Partial<About>;
  const when = used.toISOString().slice(0, 16).replace('T', ' ');
  const shape = Object.values(shapes)[0]?.join('×') ?? '';
  const what = [graph, shape, device].filter((part) => part !== '').join(', ');
  return `${when}  ${showBytes(bytes).padStart(9)}  ${path.basename(model)}  ${what}`;
}

/** As in `715 MB`. */
function showBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
