/** Where a result differs from its reference, as colours. */
import { heatMap } from '../image/heat.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** Errors from this on have the brightest colour; images span 2. */
export const brightest = 0.5;

/**
 * The mean over channels of |a − b| by pixel, in colours.
 * @param a `[3,H,W]`; @param b likewise, of the same shape; clipped to [-1,1]
 * @returns an image `[3,H,W]` in [-1,1]
 */
export function errorMap(a: Tensor, b: Tensor): Tensor {
  const [channels = 3, height = 0, width = 0] = a.shape;
  const area = height * width;
  const errors = new Float32Array(area);
  const clip = (v: number): number => Math.min(1, Math.max(-1, v));
  for (let i = 0; i < a.data.length; i++)
    errors[i % area]! += Math.abs(clip(a.data[i]!) - clip(b.data[i]!)) / channels;
  return heatMap(tensor([1, height, width], errors), brightest);
}
