/** Where results go. */
import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { writeAtomic } from '../files/atomic.ts';
import { fileFailure } from '../files/failure.ts';
import { makeFolder, makeFolderWithin } from '../files/folder.ts';
import { isFolder } from '../files/read.ts';
import { removeLeftovers } from '../files/leftovers.ts';
import { encodeImage } from '../image/write.ts';
import type { ImageFormat } from '../image/formats.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Input } from './inputs.ts';

export interface Destination {
  readonly folder: string;
  readonly format: ImageFormat;
  /** Whether the output names the result itself: another name is another result, not its successor. */
  readonly named: boolean;
  /** The path of an image's result, without extension. */
  stem(name: string): string;
  /** The path of the result itself. */
  result(name: string): string;
  /**
   * Makes the folder that an image's result goes to, and clears it of what killed runs left.
   * @throws UserError if it cannot be made, or the whole destination is missing
   */
  makeFolder(name: string): Promise<void>;
  /** The error if the destination has vanished: made anew, it would lack the other results. */
  missing(): Promise<UserError | undefined>;
}

/** What follows the last dot of an output that is a file, by format. */
const formats: Readonly<Record<string, ImageFormat>> = {
  '.png': 'png',
  '.webp': 'webp',
  '.tif': 'tiff',
  '.tiff': 'tiff',
  '.npy': 'npy',
};
const unwritable = /^\.(jpe?g|avif|gif|svg|bmp|heic)$/i;

/**
 * Takes `output` for a file if it ends like an image, else for a folder, which is made. All that
 * can be known to go wrong at writing is found here, before any work is done.
 * @throws UserError for a folder that cannot be written, a file for several inputs, or an extension
 * that contradicts `format`
 */
export async function openDestination(
  output: string,
  inputs: readonly Input[],
  format: ImageFormat | undefined,
): Promise<Destination> {
  if (output === '') throw new UserError('-o names nothing', { hint: 'name a folder or a file' });
  const extension = path.extname(output);
  const asFile = formatOfFile(output);
  if (!asFile && !isFolder(output) && unwritable.test(extension))
    throw new UserError(`${output}: results cannot be written as ${extension.slice(1)}`, {
      hint: `results are lossless: ${Object.keys(formats).join(', ')}`,
    });
  if (asFile && inputs.length > 1)
    throw new UserError(`${output} is one file, but there are ${inputs.length} images`, {
      hint: 'give -o a folder',
    });
  if (asFile && format && format !== asFile)
    throw new UserError(`${output}: its extension contradicts --format ${format}`, {
      hint: 'leave out --format: it follows the extension',
    });
  const folder = asFile ? path.dirname(output) : output;
  await makeWritable(folder);
  const chosen = asFile || format || 'png';
  const stem = stemsIn(output);
  const result = (name: string): string => (asFile ? output : `${stem(name)}.${chosen}`);
  return {
    folder,
    format: chosen,
    named: Boolean(asFile),
    stem,
    result,
    ...keeperOf(folder, result),
  };
}

/** The format of an output that is, or is to be, a file; undefined for a folder. */
function formatOfFile(output: string): ImageFormat | undefined {
  return isFolder(output) ? undefined : formats[path.extname(output).toLowerCase()];
}

/** The paths of results without extension, by the names of their images. */
export function stemsIn(output: string): (name: string) => string {
  const file = formatOfFile(output) && output.slice(0, -path.extname(output).length);
  return (name) => file ?? path.join(output, ...name.split('/'));
}

function keeperOf(
  root: string,
  result: (name: string) => string,
): Pick<Destination, 'makeFolder' | 'missing'> {
  const made = new Set<string>();
  const missing = async (): Promise<UserError | undefined> => {
    const found = await stat(root).catch(() => undefined);
    if (found?.isDirectory()) return undefined;
    return new UserError(`${root}: the folder for the results is no longer there`, {
      hint: 'bring it back, or start anew; with --resume, what it holds is not made again',
    });
  };
  return {
    missing,
    async makeFolder(name) {
      const gone = await missing();
      if (gone) throw gone;
      const folder = path.dirname(result(name));
      if (made.has(folder)) return;
      let below = root;
      for (const part of path.relative(root, folder).split(path.sep).filter(Boolean))
        await makeFolderWithin((below = path.join(below, part)));
      await removeLeftovers(folder);
      made.add(folder);
    },
  };
}

/**
 * Makes a folder, and makes sure that files can be written to it.
 * @throws UserError if that fails
 */
export async function makeWritable(folder: string): Promise<void> {
  const existing = await stat(folder).catch(() => undefined);
  if (existing && !existing.isDirectory())
    throw new UserError(`cannot write to ${folder}: it is a file, not a folder`);
  await makeFolder(folder);
  try {
    await access(folder, constants.W_OK);
  } catch (error) {
    throw fileFailure('write', folder, error);
  }
}

/** Writes an image `[3,H,W]` to a folder that is there; .npy gets the shape `[1,3,H,W]` of models. */
export async function writeResult(file: string, image: Tensor, format: ImageFormat): Promise<void> {
  await writeAtomic(file, await encodeResult(image, format));
}

/** The bytes that `writeResult` writes. */
export function encodeResult(image: Tensor, format: ImageFormat): Promise<Uint8Array> {
  const shown = format === 'npy' ? tensor([1, ...image.shape], image.data) : image;
  return encodeImage(shown, format);
}
