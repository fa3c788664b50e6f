/** Image files into float32 [3,H,W] in [-1,1]. */

import sharp, { type Metadata } from 'sharp';
import { UserError } from '../errors.ts';
import { readBytes } from '../files/read.ts';
import { firstNonFinite } from '../tensor/batch.ts';
import { decodeNpy } from '../tensor/npy.ts';
import { showShape, zeros, type Tensor } from '../tensor/tensor.ts';

export interface ReadImage {
  /** [3,H,W]; in [-1,1] but for .npy files, whose noise may go beyond. */
  readonly image: Tensor;
  /** [1,H,W] from 0 for transparent to 1 for opaque, where some pixel is not opaque. */
  readonly alpha?: Tensor;
  /** What of the file was left out or changed, one sentence each without the path. */
  readonly notes: readonly string[];
}

/** The note on transparency. */
export const flattened = 'its transparency was flattened over mid-grey';

/** .npy values beyond this are no noisy image in [-1,1]; they are bytes, 0 to 255. */
const LARGEST_PLAUSIBLE = 16;

/**
 * Reads an image: PNG, JPEG, WebP, TIFF, AVIF, GIF and SVG of 8 or 16 bits, or .npy in [-1,1].
 * EXIF orientation is applied, every colour space becomes sRGB, grey becomes three equal channels,
 * transparency is flattened over mid-grey (0, the mean of the range), the first frame is taken.
 * @throws UserError if the file is missing, damaged or holds no such image.
 */
export async function readImage(path: string): Promise<ReadImage> {
  const bytes = await readBytes(path);
  if (path.toLowerCase().endsWith('.npy') && bytes.length > 0)
    return { image: fromArray(decodeNpy(bytes, path), path), notes: [] };
  return decodeImage(bytes, path);
}

/**
 * The same for an image file's bytes; .npy excepted.
 * @param where names them in messages
 * @throws UserError if they are damaged or no such image
 */
export async function decodeImage(bytes: Uint8Array, where: string): Promise<ReadImage> {
  if (bytes.length === 0) throw new UserError(`${where}: expected an image, got an empty file`);
  const metadata = await intact(sharp(bytes).metadata(), where);
  const wide = metadata.depth === 'ushort';
  if (!wide && metadata.depth !== 'uchar')
    throw new UserError(`${where}: expected 8 or 16 bits a sample, got ${metadata.depth}`, {
      hint: 'convert it to a 16-bit PNG, or to a .npy file of values in [-1,1]',
    });
  // sharp would take 16-bit colours that carry a profile to Display P3 and leave them there, and
  // pass over a profile of 16-bit grey; with the profile ignored on input, it is still what the
  // output profile is converted from, as long as the image is of the profile's kind by then.
  const grey = metadata.space === 'grey16';
  const profiled = metadata.icc !== undefined && (grey || metadata.space === 'rgb16');
  const file = sharp(bytes, { ignoreIcc: profiled }).autoOrient();
  if (profiled) file.withIccProfile('srgb');
  const space = profiled && grey ? 'grey16' : 'rgb16';
  file.toColourspace(wide ? space : 'srgb').raw({ depth: wide ? 'ushort' : 'uchar' });
  const { data, info } = await intact(file.toBuffer({ resolveWithObject: true }), where);
  const samples = wide ? new Uint16Array(new Uint8Array(data).buffer) : data;
  const { image, alpha } = fromSamples(samples, info, white(metadata));
  const notes: string[] = [];
  const pages = metadata.pages ?? 1;
  if (pages > 1) notes.push(`only the first of its ${pages} frames is used`);
  if (!alpha) return { image, notes };
  notes.push(flattened);
  return { image, alpha, notes };
}

/** What sharp reads; what it throws, as a UserError on one line. */
async function intact<T>(reading: Promise<T>, where: string): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // libvips precedes some errors with lines about its own seeking.
    const reason = error.message.split('\n').find((line) => !line.startsWith('source:'));
    throw new UserError(`${where}: not an image, or a damaged one (${reason})`, {
      cause: error,
      hint: 'images are PNG, JPEG, WebP, TIFF, AVIF, GIF, SVG or .npy files',
    });
  }
}

/** The sample that means 1: files of 10 or 12 bits come shifted to the top of 16. */
function white({ depth, bitsPerSample = 16 }: Metadata): number {
  return depth === 'uchar' ? 255 : 2 ** 16 - 2 ** (16 - bitsPerSample);
}

/** Interleaved samples of 1 to 4 channels, the second or fourth being alpha, into planes. */
function fromSamples(
  samples: Uint8Array | Uint16Array,
  { width, height, channels }: { width: number; height: number; channels: number },
  white: number,
): Omit<ReadImage, 'notes'> {
  const image = zeros([3, height, width]);
  const area = height * width;
  const alphaAt = channels % 2 === 0 ? channels - 1 : undefined;
  const opacity = alphaAt === undefined ? undefined : zeros([1, height, width]);
  let transparent = false;
  for (let i = 0; i < area; i++) {
    const pixel = i * channels;
    const alpha = alphaAt === undefined ? 1 : Math.min(1, samples[pixel + alphaAt]! / white);
    if (opacity) opacity.data[i] = alpha;
    if (alpha < 1) transparent = true;
    for (let c = 0; c < 3; c++) {
      const sample = samples[pixel + (channels < 3 ? 0 : c)]!;
      image.data[c * area + i] = alpha * ((Math.min(sample, white) / white) * 2 - 1);
    }
  }
  return opacity && transparent ? { image, alpha: opacity } : { image };
}

/** An array [C,H,W] or [1,C,H,W] of 1 or 3 channels as an image. */
function fromArray(array: Tensor, where: string): Tensor {
  const shape =
    array.shape.length === 4 && array.shape[0] === 1 ? array.shape.slice(1) : array.shape;
  const [channels, height, width] = shape;
  if (shape.length !== 3 || (channels !== 1 && channels !== 3) || !height || !width)
    throw new UserError(
      `${where}: expected shape [C,H,W] or [1,C,H,W] with C 1 or 3, got ${showShape(array.shape)}`,
    );
  const bad = firstNonFinite(array);
  if (bad >= 0)
    throw new UserError(`${where}: expected finite values, got ${array.data[bad]} at index ${bad}`);
  const largest = array.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  if (largest > LARGEST_PLAUSIBLE)
    throw new UserError(
      `${where}: expected values around [-1,1], got one of magnitude ${largest}`,
      {
        hint: 'images are float32 in [-1,1]; bytes become so by v / 127.5 - 1',
      },
    );
  if (channels === 3) return { shape, data: array.data };
  const image = zeros([3, height, width]);
  for (let c = 0; c < 3; c++) image.data.set(array.data, c * height * width);
  return image;
}
