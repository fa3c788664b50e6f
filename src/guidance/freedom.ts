/** Training-free energy guidance: a gradient step whose size follows the schedule or the noise. */
import { UserError } from '../errors.ts';
import { imageNorms } from '../tensor/batch.ts';
import { sizeOf } from '../tensor/tensor.ts';
import type { Guidance } from './guidance.ts';

export interface FreedomOptions {
  /** From 0; 0.02 for the relative rule as published, 100 for faces by the signal rule. */
  readonly scale: number;
  /**
   * `relative`: the step is that share of what the predicted noise contributes to the mean;
   * `signal`: rho = scale sqrt(alphaBar).
   */
  readonly rule: 'relative' | 'signal';
}

/** Keeps a zero gradient a zero step. */
const TINY = 1e-20;

/**
 * x' <- x' - rho g. Yu et al., FreeDoM: Training-Free Energy-Guided Conditional Diffusion Model
 * (2023), algorithm 1, with both step-size rules of its published code: for CLIP,
 * rho = scale c rms(eps) sqrt((1-alphaBar)/alphaBar) / rms(g), c being the weight of x0 in the mean;
 * for faces, rho = scale sqrt(alphaBar). Its time-travel is a matter of the sampler.
 * @throws UserError if the scale is negative or not finite.
 */
export function freedom({ scale, rule }: FreedomOptions): Guidance {
  if (!(scale >= 0 && scale < Infinity))
    throw new UserError(`freedom: scale ${scale}, expected a number from 0`, {
      hint: 'the published code uses 0.02 with the relative rule',
    });
  return {
    name: 'freedom',
    guides: () => true,
    apply({ sample, gradient, eps, ofX0, step: { alphaBar } }) {
      const size = sizeOf(sample.shape.slice(1));
      const noise = imageNorms(eps);
      const slope = imageNorms(gradient);
      const spread = scale * ofX0 * Math.sqrt((1 - alphaBar) / alphaBar);
      const rho = slope.map((g, image) =>
        rule === 'signal' ? scale * Math.sqrt(alphaBar) : (spread * noise[image]!) / (g + TINY),
      );
      const [x, g, data] = [sample.data, gradient.data, new Float32Array(sample.data.length)];
      for (let i = 0; i < data.length; i++) data[i] = x[i]! - rho[Math.floor(i / size)]! * g[i]!;
      return { shape: sample.shape, data };
    },
  };
}
