/** Lanczos resampling in floating point. */

import { zeros, type Tensor } from '../tensor/tensor.ts';

const LOBES = 3;

/** For every output position, the first input position it reads and its weights, of sum 1. */
type Taps = readonly { readonly start: number; readonly weights: Float64Array }[];

/**
 * An image [C,H,W] resampled to height × width with a Lanczos kernel of three lobes, stretched where
 * it shrinks (antialiasing) and cut off at the border; clipped to [-1,1], which the lobes overshoot.
 */
export function resizeLanczos(image: Tensor, height: number, width: number): Tensor {
  const [channels = 0, oldHeight = 0, oldWidth = 0] = image.shape;
  const columns = taps(oldWidth, width);
  const rows = taps(oldHeight, height);
  const out = zeros([channels, height, width]);
  const narrowed = new Float64Array(oldHeight * width);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < oldHeight; y++) {
      const line = (c * oldHeight + y) * oldWidth;
      columns.forEach(({ start, weights }, x) => {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * image.data[line + start + k]!;
        narrowed[y * width + x] = sum;
      });
    }
    rows.forEach(({ start, weights }, y) => {
      const line = (c * height + y) * width;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++)
          sum += weights[k]! * narrowed[(start + k) * width + x]!;
        out.data[line + x] = Math.min(1, Math.max(-1, sum));
      }
    });
  }
  return out;
}

function taps(oldSize: number, size: number): Taps {
  const scale = oldSize / size;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: size }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.floor(centre - LOBES * stretch + 0.5));
    const end = Math.min(oldSize, Math.floor(centre + LOBES * stretch + 0.5));
    const weights = new Float64Array(end - start).map((_, k) =>
      lanczos((start + k + 0.5 - centre) / stretch),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { start, weights: weights.map((w) => w / sum) };
  });
}

function lanczos(x: number): number {
  return Math.abs(x) < LOBES ? sinc(x) * sinc(x / LOBES) : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
