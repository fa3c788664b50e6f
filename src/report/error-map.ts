/** Where a result differs from its reference, as colours. */
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** Errors from this on have the brightest colour; images span 2. */
export const brightest = 0.5;

/** sRGB of 0 to 255, evenly spaced and ever lighter: black, violet, red, orange, pale yellow. */
export const ramp = [
  [0, 0, 4],
  [59, 15, 112],
  [140, 41, 129],
  [222, 73, 104],
  [254, 159, 109],
  [252, 253, 191],
] as const;

/**
 * The mean over channels of |a − b| by pixel, in colours of `ramp`.
 * @param a `[3,H,W]`; @param b likewise, of the same shape; clipped to [-1,1]
 * @returns an image `[3,H,W]` in [-1,1]
 */
export function errorMap(a: Tensor, b: Tensor): Tensor {
  const [channels = 3, height = 0, width = 0] = a.shape;
  const area = height * width;
  const data = new Float32Array(3 * area);
  const clip = (v: number): number => Math.min(1, Math.max(-1, v));
  for (let i = 0; i < area; i++) {
    let sum = 0;
    for (let at = i; at < a.data.length; at += area)
      sum += Math.abs(clip(a.data[at]!) - clip(b.data[at]!));
    const place = Math.min(1, sum / channels / brightest) * (ramp.length - 1);
    const lower = ramp[Math.floor(place)]!;
    const upper = ramp[Math.ceil(place)]!;
    const share = place - Math.floor(place);
    for (const c of [0, 1, 2] as const)
      data[c * area + i] = (lower[c] + (upper[c] - lower[c]) * share) / 127.5 - 1;
  }
  return tensor([3, height, width], data);
}
