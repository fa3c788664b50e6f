/** Which dsg derives a graph. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a derived graph follows from, beside the model and the options. */
export const rooms = [
  'autodiff',
  'guided',
  'losses',
  'onnx',
  'operators',
  'pipeline',
  'session',
  'simplify',
  'tensor',
] as const;

let known: string | undefined;

/**
 * SHA-256 of the code that derives graphs, so that no cached graph outlives a change of it, be it a
 * release or an edit.
 */
export function codeRevision(): string {
  if (known !== undefined) return known;
  const source = fileURLToPath(new URL('..', import.meta.url));
  const files = rooms.flatMap((room) =>
    readdirSync(path.join(source, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => /(?<!\.d)\.[jt]s$/.test(file))
      .map((file) => path.join(source, room, file)),
  );
  const hash = createHash('sha256');
  for (const file of files.sort()) hash.update(readFileSync(file));
  known = hash.digest('hex');
  return known;
}
