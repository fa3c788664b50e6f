/** No cached graph may outlive the code that it was derived by. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { rooms } from '../../src/pipeline/revision.ts';

const source = path.join(import.meta.dirname, '../../src');
/** Not of how a graph is written: messages, files, sampling, and what its key holds anyway. */
const apart = 'cache card checkpoint errors.ts files guidance image samplers schedules text'.split(
  ' ',
);

/** Every file that one imports, itself or through others, but for types. */
function reached(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [, kind, name = ''] of text.matchAll(
    /^(?:import|export)( type)?[^;]*? from '(\..*?)'/gms,
  ))
    if (kind === undefined) reached(path.join(path.dirname(file), name), found);
  return found;
}

it('hashes every room that derivations reach', () => {
  const starts = ['pipeline/derivations.ts', 'pipeline/degradation.ts', 'pipeline/losses.ts'];
  const files = starts.flatMap((start) => [...reached(path.join(source, start))]);
  const found = new Set(files.map((file) => path.relative(source, file).split(path.sep)[0]));
  expect([...found].filter((room) => !apart.includes(room as string)).sort()).toEqual([...rooms]);
});
