/** Structural similarity: Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Processing 2004. */

import { UserError } from '../errors.ts';
import { showShape, type Tensor } from '../tensor/tensor.ts';
import { clippedPair } from './pair.ts';

const SIGMA = 1.5;
const RADIUS = 5;
const WINDOW = 2 * RADIUS + 1;
const C1 = 0.01 ** 2;
const C2 = 0.03 ** 2;

const TAPS = gaussianTaps();

/**
 * Mean SSIM of two images [C,H,W], both clipped to [-1,1], in [-1,1] (1: equal): an 11x11 Gaussian
 * window of σ = 1.5, K1 = 0.01, K2 = 0.03, population covariance, the mean over the pixels whose
 * window lies within the image and over the channels. Its luminance term compares means, which
 * must count from black: on values around 0 an image would resemble its negative. So it is worked
 * out on [0,1], data range 1, which is the same as on 0 to 255.
 * @throws UserError if their shapes differ or a side is shorter than the window.
 */
export function ssim(a: Tensor, b: Tensor): number {
  const clipped = clippedPair('ssim', a, b);
  const [channels = 0, height = 0, width = 0] = a.shape;
  if (a.shape.length !== 3 || height < WINDOW || width < WINDOW)
    throw new UserError(
      `ssim: expected images [C,H,W] of at least ${WINDOW}x${WINDOW}, got ${showShape(a.shape)}`,
    );
  const area = height * width;
  let sum = 0;
  for (let c = 0; c < channels; c++) {
    const plane = (values: Float32Array): Float64Array =>
      Float64Array.from(values.subarray(c * area, (c + 1) * area), (v) => (v + 1) / 2);
    sum += planeSsim(plane(clipped.a), plane(clipped.b), width);
  }
  return sum / channels;
}

/** Equation 13, averaged over one channel. */
function planeSsim(a: Float64Array, b: Float64Array, width: number): number {
  const muA = filter(a, width);
  const muB = filter(b, width);
  const meanAA = filter(
    a.map((v) => v * v),
    width,
  );
  const meanBB = filter(
    b.map((v) => v * v),
    width,
  );
  const meanAB = filter(
    a.map((v, i) => v * b[i]!),
    width,
  );
  let sum = 0;
  for (let i = 0; i < muA.length; i++) {
    const product = muA[i]! * muB[i]!;
    const squares = muA[i]! ** 2 + muB[i]! ** 2;
    const covariance = meanAB[i]! - product;
    const variances = meanAA[i]! + meanBB[i]! - squares;
    sum += ((2 * product + C1) * (2 * covariance + C2)) / ((squares + C1) * (variances + C2));
  }
  return sum / muA.length;
}

/** The Gaussian window's mean at every position where it lies within the plane. */
function filter(plane: Float64Array, width: number): Float64Array {
  const height = plane.length / width;
  const outWidth = width - 2 * RADIUS;
  const across = new Float64Array(height * outWidth);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < outWidth; x++) {
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += TAPS[k]! * plane[y * width + x + k]!;
      across[y * outWidth + x] = sum;
    }
  const out = new Float64Array((height - 2 * RADIUS) * outWidth);
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let k = 0; k < WINDOW; k++) sum += TAPS[k]! * across[i + k * outWidth]!;
    out[i] = sum;
  }
  return out;
}

function gaussianTaps(): Float64Array {
  const taps = Float64Array.from({ length: WINDOW }, (_, k) =>
    Math.exp(-((k - RADIUS) ** 2) / (2 * SIGMA ** 2)),
  );
  const sum = taps.reduce((a, b) => a + b, 0);
  return taps.map((v) => v / sum);
}
