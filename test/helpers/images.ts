/** Images whose every value a test can predict. */

import { zeros, type Tensor } from '../../src/tensor/tensor.ts';

/** [C,H,W] in [-1,1] from a function of channel, row and column, clipped to that range. */
export function drawn(
  shape: readonly [number, number, number],
  value: (c: number, y: number, x: number) => number,
): Tensor {
  const [channels, height, width] = shape;
  const image = zeros(shape);
  let i = 0;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) image.data[i++] = Math.min(1, Math.max(-1, value(c, y, x)));
  return image;
}

/** A ramp that wraps at 32 values: (x + 2y + 5c) mod 32, in [-1,1). */
export function ramp(shape: readonly [number, number, number]): Tensor {
  return drawn(shape, (c, y, x) => ((x + 2 * y + 5 * c) % 32) / 16 - 1);
}
