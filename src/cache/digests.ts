/** Digests of large files, not computed again while a file stays as it is. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeAtomic } from '../files/atomic.ts';
import { makeFolder } from '../files/folder.ts';

const record = z.strictObject({
  schema: z.literal(1),
  file: z.string(),
  /** As numbers of nanoseconds are too large for JSON's. */
  stamp: z.string(),
  digest: z.string(),
});

/** A file this young may change once more without its time of change showing it. */
const settledMs = 2000;

/** The digest of a file, computed only if it changed since it was last asked for. */
export async function remembered(
  folder: string,
  file: string,
  compute: (file: string) => Promise<string>,
): Promise<string> {
  const full = path.resolve(file);
  const name = createHash('sha256').update(full).digest('hex');
  const note = path.join(folder, `${name}.json`);
  const found = await stat(full, { bigint: true }).catch(() => undefined);
  if (!found) return compute(file);
  const { size, mtimeNs, ctimeNs, mtimeMs } = found;
  const stamp = [size, mtimeNs, ctimeNs].join();
  const known = await readNote(note);
  if (known?.file === full && known.stamp === stamp) return known.digest;
  const digest = await compute(file);
  if (Date.now() - Number(mtimeMs) > settledMs) {
    const content = JSON.stringify({ schema: 1, file: full, stamp, digest });
    // Where nothing can be kept, it is computed again next time.
    await makeFolder(folder, 0o700)
      .then(() => writeAtomic(note, content))
      .catch(() => undefined);
  }
  return digest;
}

/** Removes all that was remembered in a folder, as far as it can be, and nothing else from it. */
export async function forgetDigests(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch((): string[] => []))
    if (/^[0-9a-f]{64}\.json$/.test(name))
      await rm(path.join(folder, name), { force: true }).catch(() => undefined);
}

async function readNote(file: string): Promise<z.infer<typeof record> | undefined> {
  try {
    return record.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}
