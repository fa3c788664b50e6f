/** A picture with what photographs have: slopes, edges, and some texture. */
import { sizeOf, tensor, type Tensor } from '../tensor/tensor.ts';

/**
 * Drawn in code, so that it needs no file and is the same everywhere.
 * @param shape `[1,C,H,W]`, in [-1,1]
 */
export function drawing(shape: readonly number[]): Tensor {
  const [, channels = 0, height = 0, width = 0] = shape;
  const data = new Float32Array(sizeOf(shape));
  let i = 0;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) data[i++] = colour(c, (y + 0.5) / height, (x + 0.5) / width);
  return tensor(shape, data);
}

/** Sky over ground, a lit ball, and a striped box. @param y, x in 0..1 */
function colour(c: number, y: number, x: number): number {
  const [u, v] = [(x - 0.36) / 0.24, (y - 0.42) / 0.24];
  if (u * u + v * v < 1) {
    const light = Math.max(0, 0.7 * Math.sqrt(1 - u * u - v * v) - 0.5 * u - 0.5 * v);
    return -0.8 + 1.5 * light - 0.35 * c * light;
  }
  if (x > 0.62 && x < 0.9 && y > 0.45 && y < 0.88)
    return Math.floor(x * 25) % 2 ? 0.6 - 0.3 * c : -0.5;
  return y < 0.68 ? 0.1 + 0.3 * c - 0.5 * y : -0.35 - 0.15 * c + 0.6 * (y - 0.68);
}
