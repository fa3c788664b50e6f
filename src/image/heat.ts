/** Values as colours. */
import { tensor, type Tensor } from '../tensor/tensor.ts';

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
 * Values in colours of `ramp`: the first at 0, the last from `brightest` on.
 * @param values `[1,H,W]`, not negative
 * @returns an image `[3,H,W]` in [-1,1]
 */
export function heatMap({ shape, data: values }: Tensor, brightest: number): Tensor {
  const [, height = 0, width = 0] = shape;
  const area = height * width;
  const data = new Float32Array(3 * area);
  for (let i = 0; i < area; i++) {
    const place = Math.min(1, values[i]! / brightest) * (ramp.length - 1);
    const lower = ramp[Math.floor(place)]!;
    const upper = ramp[Math.ceil(place)]!;
    const share = place - Math.floor(place);
    for (const c of [0, 1, 2] as const)
      data[c * area + i] = (lower[c] + (upper[c] - lower[c]) * share) / 127.5 - 1;
  }
  return tensor([3, height, width], data);
}
