/** Which images a command is to work on, and what they are called. */
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { UserError } from '../errors.ts';
import { fileFailure } from '../files/failure.ts';
import { ownResults, type Origin } from './own-results.ts';
import { chooseApart, refuseSameNames } from './same-names.ts';

export interface Input {
  readonly file: string;
  /**
   * Path relative to the base or the given folder, or base name, with `/` between parts and no
   * extension. It names the image's noise and its results.
   */
  readonly name: string;
}

/** Where images are looked for, besides what is given. */
export interface Search {
  /** A folder of results: what lies under it is passed over, unless inputs are looked for there. */
  readonly except?: string | undefined;
  /** What results are made from there; left out, earlier ones are not told from inputs. */
  readonly from?: Origin | undefined;
  /** What `-` stands for, a name a line. */
  readonly stdin?: AsyncIterable<string | Uint8Array> | undefined;
  /** The folder that names are relative to, whatever is given. */
  readonly base?: string | undefined;
}

/** What folders are searched for; a file given by itself may have any name. */
const readable = /\.(png|jpe?g|webp|tiff?|avif|gif|svg|npy)$/i;
/** What dsg writes beside measurements and results. */
const companion = /\.(mask|measurement|x0|trace|deviation)\.[^.]+$|\.kernel\.npy$/i;
const companionFolder = /\.(trace|samples)$/;

/** A file's path without extension, and without the `.measurement` that `--simulate` adds. */
export function stemOf(file: string): string {
  const stem = file.slice(0, file.length - path.extname(file).length);
  return stem.replace(/\.measurement$/, '');
}

/**
 * The images that results are to be made of, each by a name of its own. Results of earlier runs that
 * lie where those of this one go are none of them, unless they are given by themselves.
 * @throws UserError as `findImages`, for two images of one name, and where there are results alone
 */
export async function findInputs(paths: readonly string[], search: Search = {}): Promise<Input[]> {
  const { except: output, from, stdin } = search;
  const { images, listed } = await lookFor(paths, search);
  const searched = images.filter(({ file }) => !listed.has(file));
  const own = output && from && (await ownResults(images, searched, { output, from }));
  const inputs = own ? images.filter((image) => !own.has(image)) : images;
  if (inputs.length === 0)
    throw new UserError(`${paths.join(', ')}: no images but results that dsg put there`, {
      hint: 'choose another folder with -o to start from those',
    });
  // What takes lists takes --base.
  refuseSameNames(inputs, 'results go by name', chooseApart(stdin !== undefined));
  return inputs;
}

/**
 * Files as they are, folders searched to any depth in the order of names, and what patterns match.
 * A missing file is left to whoever reads it.
 * @throws UserError for a folder or pattern without images, or an image that is not below the base
 */
export async function findImages(paths: readonly string[], search: Search = {}): Promise<Input[]> {
  return (await lookFor(paths, search)).images;
}

/** @returns `listed`, what was given by itself or in a list, besides */
async function lookFor(
  paths: readonly string[],
  { except, stdin, base }: Search,
): Promise<{ images: Input[]; listed: ReadonlySet<string> }> {
  const found: Input[] = [];
  const listed = new Set<string>();
  const results = except && path.resolve(except);
  const look = async (given: string, patterns: boolean): Promise<void> => {
    listed.add(given);
    found.push(...(await findIn(given, results, patterns)));
  };
  for (const given of paths)
    if (given === '-' && stdin) for (const line of await linesOf(stdin)) await look(line, false);
    else await look(given, true);
  const images = base === undefined ? found : found.map(({ file }) => below(base, file));
  return { images, listed };
}

function below(base: string, file: string): Input {
  if (!isBelow(base, file)) throw new UserError(`${file}: not below the folder of --base, ${base}`);
  return { file, name: nameOf(path.relative(base, file)) };
}

/** Whether a path leads further down than a folder. */
function isBelow(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== '' && relative.split(path.sep)[0] !== '..' && !path.isAbsolute(relative);
}

const nameOf = (relative: string): string => stemOf(relative).split(path.sep).join('/');

/** Lines, or what is between NUL characters if there are any, as `find -print0` writes them. */
async function linesOf(stdin: AsyncIterable<string | Uint8Array>): Promise<string[]> {
  const parts: Uint8Array[] = [];
  for await (const part of stdin) parts.push(Buffer.from(part));
  // Some programs of Windows begin with a mark of the byte order.
  const text = Buffer.concat(parts)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  const lines = text.split(text.includes('\0') ? '\0' : /\r?\n/).filter((line) => line !== '');
  if (lines.length === 0)
    throw new UserError('-: no names on the standard input', { hint: 'one file or folder a line' });
  return lines;
}

async function findIn(
  given: string,
  except: string | undefined,
  patterns: boolean,
): Promise<Input[]> {
  if (given === '') throw new UserError('an input is named, but by nothing');
  const found = await stat(given).catch(() => undefined);
  // A pipe can be read once, and an image is: digested first, and then decoded.
  if (found && !found.isDirectory() && !found.isFile())
    throw new UserError(`cannot read ${given}: it is not a regular file`, {
      hint: 'write what comes from it to a file first',
    });
  const pattern = patternOf(given);
  const isPattern = !found && patterns && isDynamicPattern(pattern);
  if (!found?.isDirectory() && !isPattern)
    return [{ file: given, name: stemOf(path.basename(given)) }];
  const base = isPattern ? fixedPart(pattern) : given;
  const images = isPattern ? await matching(pattern, except) : await search(given, except);
  if (images.length === 0)
    throw new UserError(`${given}: no images ${isPattern ? 'match' : 'in this folder'}`, {
      hint: 'images are PNG, JPEG, WebP, TIFF, AVIF, GIF, SVG or .npy files',
    });
  return images.map((file) => ({ file, name: nameOf(path.relative(base, file)) }));
}

/** As globs are written: shells of Windows expand none, and there folders end in `\`. */
export function patternOf(given: string, separator: string = path.sep): string {
  return given.replaceAll(separator, '/');
}

/** The folders before the first part that is a pattern. */
function fixedPart(pattern: string): string {
  const parts = pattern.split('/');
  const fixed = parts
    .slice(
      0,
      parts.findIndex((part) => isDynamicPattern(part)),
    )
    .join('/');
  return fixed || (pattern.startsWith('/') ? '/' : '.');
}

async function matching(pattern: string, except: string | undefined): Promise<string[]> {
  const files = await glob(pattern, { expandDirectories: true });
  const apart = except !== undefined && isBelow(fixedPart(pattern), except) ? except : undefined;
  const below = (file: string): boolean => apart !== undefined && isBelow(apart, file);
  const beside = (file: string): boolean => companionFolder.test(path.dirname(file));
  return files.filter((f) => isImage(path.basename(f)) && !below(f) && !beside(f)).sort();
}

function isImage(name: string): boolean {
  return readable.test(name) && !companion.test(name);
}

/** @param above the folders that this one was found in, without links */
async function search(
  folder: string,
  except: string | undefined,
  above: readonly string[] = [],
): Promise<string[]> {
  // A link to a folder above leads round in a circle.
  const real = await realpath(folder).catch(() => folder);
  if (above.includes(real)) return [];
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
      if (companionFolder.test(entry.name) || path.resolve(file) === except) continue;
      files.push(...(await search(file, except, [...above, real])));
    } else if (kind?.isFile() && isImage(entry.name)) files.push(file);
  }
  return files;
}
