/** One entry of the cache: a folder of files, and what they should be. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { chunksOf } from '../files/chunks.ts';

const description = z.strictObject({
  schema: z.literal(1),
  /** SHA-256 of what the entry was derived from. */
  key: z.string(),
  /** What whoever made it says of it. */
  about: z.unknown(),
  files: z.record(z.string(), z.strictObject({ bytes: z.int(), crc32: z.int() })),
});

export type Description = z.infer<typeof description>;

/** Written last: without it, a folder is no entry. */
export const descriptionFile = 'entry.json';

/** Describes what lies in a folder, and so makes it an entry. */
export async function seal(folder: string, key: string, about: unknown): Promise<Description> {
  const files: Description['files'] = {};
  for (const name of await readdir(folder)) files[name] = await measure(path.join(folder, name));
  const sealed = { schema: 1, key, about, files } as const;
  await writeFile(path.join(folder, descriptionFile), JSON.stringify(sealed));
  return sealed;
}

/** @throws Error saying what is wrong with it; with code ENOENT where there is none */
export async function describe(folder: string, key: string): Promise<Description> {
  const text = await readFile(path.join(folder, descriptionFile), 'utf8');
  const found = description.parse(JSON.parse(text));
  if (found.key !== key) throw new Error('it is of something else');
  return found;
}

/**
 * That every file is what it was when the entry was sealed. CRC-32 finds what disks and interrupted
 * copies do, at several GB/s; the folder is the user's own.
 * @throws Error naming the file that is not
 */
export async function verify(folder: string, { files }: Description): Promise<void> {
  for (const [name, expected] of Object.entries(files)) {
    const file = path.join(folder, name);
    const { size } = await stat(file);
    if (size !== expected.bytes)
      throw new Error(`${name} has ${size} bytes instead of ${expected.bytes}`);
    if ((await measure(file)).crc32 !== expected.crc32) throw new Error(`${name} was changed`);
  }
}

export function sizeOf({ files }: Description): number {
  return Object.values(files).reduce((n, { bytes }) => n + bytes, 0);
}

async function measure(file: string): Promise<{ bytes: number; crc32: number }> {
  let [bytes, sum] = [0, 0];
  for await (const chunk of chunksOf(file)) {
    sum = crc32(chunk, sum);
    bytes += chunk.byteLength;
  }
  return { bytes, crc32: sum };
}
