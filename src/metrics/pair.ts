/** What every full-reference metric does first. */

import { UserError } from '../errors.ts';
import { sameShape, showShape, type Tensor } from '../tensor/tensor.ts';

/** Images lie in [-1,1]: the largest difference of two values. */
export const DATA_RANGE = 2;

/**
 * The values of two images, clipped to [-1,1] as a file of them would be.
 * @throws UserError if their shapes differ.
 */
export function clippedPair(
  metric: string,
  a: Tensor,
  b: Tensor,
): { a: Float32Array; b: Float32Array } {
  if (!sameShape(a.shape, b.shape))
    throw new UserError(
      `${metric}: expected two images of one shape, got ${showShape(a.shape)} and ${showShape(b.shape)}`,
    );
  return { a: a.data.map(clip), b: b.data.map(clip) };
}

function clip(v: number): number {
  return Math.min(1, Math.max(-1, v));
}
