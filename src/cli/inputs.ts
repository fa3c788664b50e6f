/** Which images a command is to work on, and what they are called. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { fileFailure } from '../files/failure.ts';

export interface Input {
  readonly file: string;
  /**
   * Path relative to the given folder, or base name, with `/` between parts and no extension.
   * It names the image's noise and its results.
   */
  readonly name: string;
}

/** What folders are searched for; a file given by itself may have any name. */
const readable = /\.(png|jpe?g|webp|tiff?|avif|gif|svg|npy)$/i;
/** What dsg writes beside measurements and results. */
const companion = /\.(mask|measurement|x0|trace)\.[^.]+$|\.kernel\.npy$/i;

/** A file's path without extension, and without the `.measurement` that `--simulate` adds. */
export function stemOf(file: string): string {
  const stem = file.slice(0, file.length - path.extname(file).length);
  return stem.replace(/\.measurement$/, '');
}

/**
 * Files as they are, folders searched to any depth in the order of names; what lies under
 * `except`, a folder of results, is passed over. A missing file is left to whoever reads it.
 * @throws UserError for a folder without images, or two images of one name
 */
export async function findInputs(paths: readonly string[], except?: string): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const given of paths) {
    const found = await stat(given).catch(() => undefined);
    if (!found?.isDirectory()) {
      inputs.push({ file: given, name: stemOf(path.basename(given)) });
      continue;
    }
    const images = await search(given, except && path.resolve(except));
    if (images.length === 0)
      throw new UserError(`${given}: no images in this folder`, {
        hint: 'images are PNG, JPEG, WebP, TIFF, AVIF, GIF, SVG or .npy files',
      });
    for (const file of images) {
      const relative = path.relative(given, file);
      inputs.push({ file, name: stemOf(relative).split(path.sep).join('/') });
    }
  }
  const byName = new Map<string, Input>();
  for (const input of inputs) {
    const name = input.name.normalize('NFC');
    const other = byName.get(name);
    if (other)
      throw new UserError(
        `two images are named '${input.name}': ${other.file} and ${input.file}; results go by name`,
        { hint: 'give the folder above them, so that names include folders, or rename one' },
      );
    byName.set(name, input);
  }
  return inputs;
}

async function search(folder: string, except: string | undefined): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw fileFailure('read', folder, error);
  });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: string[] = [];
  for (const entry of entries) {
    const file = path.join(folder, entry.name);
    if (entry.name.startsWith('.')) continue;
    const kind = entry.isSymbolicLink() ? await stat(file).catch(() => undefined) : entry;
    if (kind?.isDirectory()) {
      if (entry.name.endsWith('.trace') || path.resolve(file) === except) continue;
      files.push(...(await search(file, except)));
    } else if (kind?.isFile() && readable.test(entry.name) && !companion.test(entry.name))
      files.push(file);
  }
  return files;
}
