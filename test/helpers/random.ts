/** Seeded test data. */
import { gaussian, noiseKey } from '../../src/tensor/noise.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** Standard normal values that depend on the name and shape only. */
export function randomTensor(name: string, shape: readonly number[]): Tensor {
  return gaussian(noiseKey(0, name), 'sample', 0, shape);
}

export function dot(a: Tensor, b: Tensor): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i] ?? 0) * (b.data[i] ?? 0);
  return sum;
}

/** The largest difference, relative to the largest magnitude of `b`. */
export function relativeError(a: Tensor, b: Tensor): number {
  let [difference, scale] = [0, 0];
  for (let i = 0; i < b.data.length; i++) {
    difference = Math.max(difference, Math.abs((a.data[i] ?? NaN) - (b.data[i] ?? 0)));
    scale = Math.max(scale, Math.abs(b.data[i] ?? 0));
  }
  return difference === 0 ? 0 : difference / scale;
}
