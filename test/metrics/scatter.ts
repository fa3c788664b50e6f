/** Deterministic values in [-1,1] that Python makes alike, for golden values of random networks. */

import { sizeOf, tensor, type Tensor } from '../../src/tensor/tensor.ts';

/** i = arange(size, int64) + 10007 k; ((3i² + 7919i) % 1009) / 504.5 - 1, as float32. */
export function scatter(shape: readonly number[], k: number): Tensor {
  const value = (n: number): number => {
    const i = n + 10007 * k;
    return ((3 * i * i + 7919 * i) % 1009) / 504.5 - 1;
  };
  return tensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, (_, n) => value(n)),
  );
}

export function mapped({ shape, data }: Tensor, f: (v: number) => number): Tensor {
  return tensor(shape, data.map(f));
}
