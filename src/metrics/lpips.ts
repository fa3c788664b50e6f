/** LPIPS: Zhang, Isola, Efros, Shechtman and Wang, CVPR 2018. */

import { UserError } from '../errors.ts';
import { sameShape, showShape, type Tensor } from '../tensor/tensor.ts';

/** Keeps a position whose features are all zero from being divided by zero; of the reference code. */
const EPSILON = 1e-10;

/**
 * Equation 1: per layer, features normalised to unit length over channels, squared differences
 * weighted by channel, the mean over positions; summed over layers. 0 for equal features.
 * @param a features of one image by layer, [C,H,W] or [1,C,H,W] each; @param b of the other
 * @param weights the linear layers, one weight a channel
 * @throws UserError if the layers do not fit each other
 */
export function lpips(
  a: readonly Tensor[],
  b: readonly Tensor[],
  weights: readonly Tensor[],
): number {
  if (a.length !== weights.length || b.length !== weights.length)
    throw new UserError(
      `lpips: ${weights.length} linear layers, but features of ${a.length} and ${b.length} layers`,
    );
  return weights.reduce((sum, w, i) => sum + layerDistance(a[i]!, b[i]!, w), 0);
}

function layerDistance(a: Tensor, b: Tensor, weights: Tensor): number {
  const channels = weights.data.length;
  if (!sameShape(a.shape, b.shape) || a.shape.at(-3) !== channels)
    throw new UserError(
      `lpips: features ${showShape(a.shape)} and ${showShape(b.shape)} under ${channels} weights`,
    );
  const area = a.data.length / channels;
  let sum = 0;
  for (let i = 0; i < area; i++) {
    const lengthA = lengthAt(a.data, i, area);
    const lengthB = lengthAt(b.data, i, area);
    for (let c = 0; c < channels; c++) {
      const at = c * area + i;
      sum += weights.data[c]! * (a.data[at]! / lengthA - b.data[at]! / lengthB) ** 2;
    }
  }
  return sum / area;
}

/** Euclidean length over channels at position `i`. */
function lengthAt(data: Float32Array, i: number, area: number): number {
  let sum = 0;
  for (let at = i; at < data.length; at += area) sum += data[at]! ** 2;
  return Math.sqrt(sum) + EPSILON;
}
