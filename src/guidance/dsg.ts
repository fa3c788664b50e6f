/** Guidance with a spherical Gaussian constraint: the step keeps the length its noise would have. */
import { UserError } from '../errors.ts';
import { imageNorms } from '../tensor/batch.ts';
import { sizeOf, type Tensor } from '../tensor/tensor.ts';
import type { Guidance } from './guidance.ts';

export interface DsgOptions {
  /** w, 0..1: from the sample's own direction to the steepest descent of the loss. */
  readonly rate: number;
  /** Guide the steps whose index is a multiple of this; 1 guides all. */
  readonly interval: number;
  /**
   * What stands for sigma where the network predicts one for every value: its root mean square
   * over the image (default), or its first value, as the published code does. A number is itself.
   */
  readonly radius?: 'rms' | 'first-pixel';
}

/** Keeps a zero direction zero; the published code's constant. */
const TINY = 1e-8;

/**
 * x' = mu + r m/||m|| with m = d + w (d* - d), d = x' - mu, d* = -r g/||g|| and r = sqrt(n) sigma.
 * Yang et al., Guidance with Spherical Gaussian Constraint for Conditional Diffusion (2024),
 * algorithm 1. The last step is no exception: where its sigma is not 0 (`fixed_large`,
 * `learned_range`), it ends at distance r from mu, as in the published code.
 * @throws UserError if the rate is outside 0..1 or the interval is not a positive integer.
 */
export function dsg({ rate, interval, radius = 'rms' }: DsgOptions): Guidance {
  if (!(rate >= 0 && rate <= 1))
    throw new UserError(`dsg: guidance rate ${rate}, expected a number from 0 to 1`, {
      hint: 'the article uses 0.1 to 0.2',
    });
  if (!Number.isInteger(interval) || interval < 1)
    throw new UserError(`dsg: interval ${interval}, expected a positive integer`, {
      hint: 'the article uses 1 for up to 50 steps, and up to 20 for 1000',
    });
  return {
    name: 'dsg',
    guides: ({ index }) => index % interval === 0,
    apply({ sample, mean, sigma, gradient }) {
      const radii = radius === 'rms' ? rmsRadii(sigma, sample) : firstPixelRadii(sigma, sample);
      const gradientNorms = imageNorms(gradient);
      const size = imageSize(sample);
      const guided = { shape: sample.shape, data: new Float32Array(sample.data.length) };
      const [x, mu, g, m] = [sample.data, mean.data, gradient.data, guided.data];

      radii.forEach((r, image) => {
        const toSteepest = -r / (gradientNorms[image]! + TINY);
        for (let i = image * size; i < (image + 1) * size; i++) {
          const d = x[i]! - mu[i]!;
          m[i] = d + rate * (toSteepest * g[i]! - d);
        }
      });
      const mixNorms = imageNorms(guided);
      radii.forEach((r, image) => {
        const toSphere = r / (mixNorms[image]! + TINY);
        for (let i = image * size; i < (image + 1) * size; i++) m[i] = mu[i]! + toSphere * m[i]!;
      });
      return guided;
    },
  };
}

/** sqrt(n) times the root mean square of sigma, which is the norm of a sigma given by value. */
function rmsRadii(sigma: number | Tensor, sample: Tensor): Float64Array {
  return typeof sigma === 'number' ? firstPixelRadii(sigma, sample) : imageNorms(sigma);
}

function firstPixelRadii(sigma: number | Tensor, sample: Tensor): Float64Array {
  const size = imageSize(sample);
  return Float64Array.from(
    { length: sample.shape[0]! },
    (_, image) => Math.sqrt(size) * (typeof sigma === 'number' ? sigma : sigma.data[image * size]!),
  );
}

function imageSize({ shape }: Tensor): number {
  return sizeOf(shape.slice(1));
}
