/** Between images [C,H,W] and batches [N,C,H,W]. */

import { sameShape, showShape, sizeOf, type Tensor } from './tensor.ts';

/**
 * One batch [N,...] of N tensors of one shape [...], copied.
 * @throws RangeError if there are none or their shapes differ.
 */
export function stack(images: readonly Tensor[]): Tensor {
  const first = images[0];
  if (!first) throw new RangeError('stack: no images');
  const size = sizeOf(first.shape);
  const data = new Float32Array(images.length * size);
  images.forEach((image, i) => {
    if (!sameShape(image.shape, first.shape))
      throw new RangeError(
        `stack: image ${i} has shape ${showShape(image.shape)}, image 0 has ${showShape(first.shape)}`,
      );
    data.set(image.data, i * size);
  });
  return { shape: [images.length, ...first.shape], data };
}

/** The images of a batch, as views. */
export function unstack(batch: Tensor): Tensor[] {
  return Array.from({ length: batch.shape[0] ?? 0 }, (_, i) => imageAt(batch, i));
}

/**
 * Image `i` of a batch: a view, so that writing to it changes the batch.
 * @throws RangeError if the batch has no such image.
 */
export function imageAt(batch: Tensor, i: number): Tensor {
  const [count = 0, ...shape] = batch.shape;
  if (!(i >= 0 && i < count))
    throw new RangeError(`imageAt: no image ${i} in a batch ${showShape(batch.shape)}`);
  const size = sizeOf(shape);
  return { shape, data: batch.data.subarray(i * size, (i + 1) * size) };
}

/** The L2 norm of every image of a batch, accumulated in float64. */
export function imageNorms(batch: Tensor): Float64Array {
  return Float64Array.from(unstack(batch), ({ data }) => {
    let sum = 0;
    // Indexed: iterating a typed array costs six times as much, at every step of a sampler.
    for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
    return Math.sqrt(sum);
  });
}

/** The flat index of the first NaN or infinity, or -1. */
export function firstNonFinite({ data }: Tensor): number {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}

/** x + s d of tensors `[N,...]`, with an s for each image. */
export function along(
  { shape, data: x }: Tensor,
  { data: d }: Tensor,
  s: (image: number) => number,
): Tensor {
  const data = new Float32Array(x.length);
  const size = x.length / (shape[0] ?? 1);
  for (let image = 0, i = 0; i < data.length; image++)
    for (const [end, by] = [i + size, s(image)]; i < end; i++) data[i] = x[i]! + by * d[i]!;
  return { shape, data };
}
