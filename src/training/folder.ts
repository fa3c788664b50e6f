/** A folder of images, brought to one size and kept in memory as bytes. */
import { createHash } from 'node:crypto';
import { UserError } from '../errors.ts';
import { fit } from '../image/fit.ts';
import { readImage } from '../image/read.ts';
import { zeros, type Tensor } from '../tensor/tensor.ts';
import type { Dataset } from './dataset.ts';
import { mirroredAt, shuffled } from './draws.ts';

export interface LabelledFile {
  readonly file: string;
  /** Its class; the same for all where there are none. */
  readonly label: string;
}

export interface FolderOptions {
  readonly size: number;
  /** `crop` cuts the middle out of what is not square; `resize` distorts it. */
  readonly fit: 'crop' | 'resize';
  /** Mirrors every other image. */
  readonly mirror: boolean;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** Two gigabytes: half of what a small machine has. */
const mostBytes = 2 ** 31;
/** How many are decoded side by side. */
const together = 8;

/**
 * Reads every image; classes are the labels in their order, none if all are the same.
 * @throws UserError for an image that cannot be read, or more than memory should hold
 */
export async function folder(
  files: readonly LabelledFile[],
  { size, fit: how, mirror, seed, signal }: FolderOptions,
): Promise<Dataset> {
  const elements = 3 * size * size;
  const total = files.length;
  if (total * elements > mostBytes)
    throw new UserError(
      `${total} images of ${size}×${size} take ${((total * elements) / 2 ** 30).toFixed(1)} GiB, more than the 2 GiB that are kept in memory`,
      { hint: 'choose a smaller --size, or fewer images' },
    );
  const names = [...new Set(files.map((f) => f.label))].sort();
  const classes = names.length > 1 ? names : [];
  const bytes = new Uint8Array(total * elements);
  for (let first = 0; first < total; first += together) {
    signal?.throwIfAborted();
    const part = files.slice(first, first + together);
    const images = await Promise.all(part.map(async ({ file }) => square(file, size, how)));
    images.forEach(({ data }, i) => {
      bytes.set(data.map(toByte), (first + i) * elements);
    });
  }
  const labels = files.map((f) => Math.max(0, classes.indexOf(f.label)));
  const position = shuffled(seed, total);
  const digest = createHash('sha256').update(bytes).update(JSON.stringify(labels)).digest('hex');
  return {
    shape: [3, size, size],
    classes,
    identity: JSON.stringify({ images: digest, mirror, seed }),
    description: `${total} images${classes.length > 0 ? ` in ${classes.length} classes` : ''}`,
    at(step, count) {
      const x0 = zeros([count, 3, size, size]);
      const shown = Array.from({ length: count }, (_, i) => position(step * count + i));
      const mirrored = mirror ? mirroredAt(seed, step, count) : [];
      shown.forEach((at, i) => {
        const image = bytes.subarray(at * elements, (at + 1) * elements);
        const target = x0.data.subarray(i * elements, (i + 1) * elements);
        for (let j = 0; j < elements; j++) {
          const column = j % size;
          const from = mirrored[i] ? j - column + (size - 1 - column) : j;
          target[j] = (image[from] as number) / 127.5 - 1;
        }
      });
      return { x0, labels: shown.map((at) => labels[at] as number) };
    },
  };
}

const toByte = (v: number): number => Math.round((Math.min(1, Math.max(-1, v)) + 1) * 127.5);

async function square(file: string, size: number, how: FolderOptions['fit']): Promise<Tensor> {
  const { image } = await readImage(file);
  const [, height = 0, width = 0] = image.shape;
  const side = Math.min(height, width);
  const cut = how === 'crop' ? fit(image, { height: side, width: side }, 'crop') : image;
  return fit(cut, { height: size, width: size }, 'resize');
}
