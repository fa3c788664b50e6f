/** What tells whether a file is still the one that it was, without reading it. */
import { stat } from 'node:fs/promises';
import path from 'node:path';

/** Stamps by absolute path. */
export type Stamps = ReadonlyMap<string, string>;

/**
 * Size, time of change and inode: others where a file was replaced or written to, the same where it
 * was only linked, moved along with its folder, or given other rights.
 * @returns undefined where there is no such file
 */
async function stampOf(file: string): Promise<string | undefined> {
  const found = await stat(file, { bigint: true }).catch(() => undefined);
  return found && [found.size, found.mtimeNs, found.ino].join();
}

/** The stamps of files; to be taken before they are read, so that no change is missed. */
export async function stampsOf(files: readonly string[]): Promise<Stamps> {
  const paths = files.map((file) => path.resolve(file));
  const found = await Promise.all(paths.map(async (p) => [p, await stampOf(p)] as const));
  return new Map(found.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The first of the files whose stamp was taken and is another now; nothing is said of other files. */
export async function firstChanged(
  files: readonly string[],
  stamps: Stamps,
): Promise<string | undefined> {
  const now = await stampsOf(files);
  const isChanged = (file: string): boolean => {
    const key = path.resolve(file);
    return stamps.has(key) && now.get(key) !== stamps.get(key);
  };
  return files.find(isChanged);
}
