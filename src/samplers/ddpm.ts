/** Denoising diffusion probabilistic models: ancestral sampling from q(x' | x_t, x0). */
import { UserError } from '../errors.ts';
import type { Step } from '../schedules/respace.ts';
import { zeros, type Tensor } from '../tensor/tensor.ts';
import { chain, type Temperature, type Transition } from './chain.ts';
import type { Denoised, Sampler } from './sampler.ts';

type Sigma = (denoised: Denoised, step: Step) => number | Tensor;

/**
 * sigma by its name in guided-diffusion. As in the code of DPS and DSG, `fixed_small` is 0 at the
 * last step, and the others are not: the step itself adds no noise, but guidance sees sigma.
 */
const SIGMAS = {
  fixed_small: (_, step) => Math.sqrt(step.posteriorVariance),
  fixed_large: (_, step) => Math.sqrt(step.index === 0 ? step.posteriorVarianceClipped : step.beta),
  learned_range: learnedRange,
} satisfies Record<string, Sigma>;

export interface DdpmOptions extends Temperature {
  readonly variance: keyof typeof SIGMAS;
}

/**
 * Ho et al., Denoising Diffusion Probabilistic Models (2020), equations 6 and 7.
 * `learned_range` needs `Denoised.variance`.
 * @throws UserError if the temperature is negative or not finite.
 */
export function ddpm({ variance, ...heat }: DdpmOptions): Sampler {
  const sigmaOf: Sigma = SIGMAS[variance];
  const transition = (denoised: Denoised, step: Step): Transition => {
    const { alphaBar, alphaBarPrev, beta } = step;
    return {
      ofX0: (beta * Math.sqrt(alphaBarPrev)) / (1 - alphaBar),
      ofX: ((1 - alphaBarPrev) * Math.sqrt(1 - beta)) / (1 - alphaBar),
      sigma: sigmaOf(denoised, step),
    };
  };
  return chain(transition, true, heat);
}

/**
 * exp of half the interpolation of log(posterior variance) at -1 and log(beta) at 1: Nichol &
 * Dhariwal, Improved Denoising Diffusion Probabilistic Models (2021), equation 15.
 */
function learnedRange({ variance }: Denoised, step: Step): Tensor {
  if (!variance)
    throw new UserError('ddpm: learned_range needs a network that predicts a variance', {
      hint: 'use fixed_small or fixed_large, or a network with twice as many output channels',
    });
  // A step that ends at its own noise level goes nowhere, and has no logarithm.
  if (step.beta === 0) return zeros(variance.shape);
  const low = Math.log(step.posteriorVarianceClipped);
  const high = Math.log(step.beta);
  const v = variance.data;
  const data = new Float32Array(v.length);
  for (let i = 0; i < data.length; i++) {
    const fraction = (v[i]! + 1) / 2;
    data[i] = Math.exp(0.5 * (fraction * high + (1 - fraction) * low));
  }
  return { shape: variance.shape, data };
}
