/** Peak signal-to-noise ratio. */

import type { Tensor } from '../tensor/tensor.ts';
import { clippedPair, DATA_RANGE } from './pair.ts';

/**
 * PSNR in dB of two images of one shape, both clipped to [-1,1] (peak 2): 10 log10(2² / mean
 * squared difference) over all pixels and channels. Infinity for equal images, NaN if either has one.
 * @throws UserError if their shapes differ.
 */
export function psnr(a: Tensor, b: Tensor): number {
  const clipped = clippedPair('psnr', a, b);
  let sum = 0;
  clipped.a.forEach((v, i) => (sum += (v - clipped.b[i]!) ** 2));
  return 10 * Math.log10(DATA_RANGE ** 2 / (sum / clipped.a.length));
}
