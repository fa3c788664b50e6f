/** Classifier-free guidance: how far beyond the conditional prediction to go, step by step. */
import { UserError } from '../errors.ts';
import type { Step } from '../schedules/respace.ts';

export interface ClassifierFree {
  /**
   * w of ε̃ = (1+w) ε(x,c) − w ε(x,∅): Ho & Salimans, Classifier-Free Diffusion Guidance (2022),
   * equation 6. 0 is conditional sampling, −1 unconditional. Others call 1+w the guidance scale.
   */
  readonly scale: number;
  /** How w goes over the steps; `constant` if left out. */
  readonly schedule?: keyof typeof SCHEDULES;
  /**
   * Guide at noise levels low < σ ≤ high only, σ = √((1−ᾱ)/ᾱ), and take the conditional prediction
   * elsewhere: Kynkäänniemi et al., Applying Guidance in a Limited Interval (2024).
   */
  readonly interval?: readonly [low: number, high: number];
  /**
   * φ, 0..1: how far the guided output gets the standard deviation of the conditional one back.
   * Lin et al., Common Diffusion Noise Schedules and Sample Steps are Flawed (2023), equations
   * 14 to 16. Where the image is seen through windows, of each window. 0 if left out.
   */
  readonly rescale?: number;
}

/**
 * What w is multiplied by at t/T, 1 being pure noise. The rising ones have the mean 1, so that as
 * much guidance is spent: Wang et al., Analysis of Classifier-Free Guidance Weight Schedulers (2024).
 */
const SCHEDULES = {
  constant: () => 1,
  linear: (t: number) => 2 * (1 - t),
  cosine: (t: number) => 1 + Math.cos(Math.PI * t),
};

/**
 * w at a step.
 * @param timesteps T of the model's schedule
 * @throws UserError for a value out of range
 */
export function scaleAt(options: ClassifierFree, timesteps: number): (step: Step) => number {
  const { scale, schedule = 'constant', interval, rescale = 0 } = options;
  if (!(scale >= -1 && scale < Infinity))
    throw new UserError(`classifier-free guidance: scale ${scale}, expected a number from -1`, {
      hint: 'w = 0 is conditional only; for s = 1+w, as other programs count, take one off',
    });
  if (!(rescale >= 0 && rescale <= 1))
    throw new UserError(`classifier-free guidance: rescale ${rescale}, expected 0 to 1`, {
      hint: 'the article uses 0.7',
    });
  if (interval && !(interval[0] >= 0 && interval[0] < interval[1]))
    throw new UserError(
      `classifier-free guidance: interval ${interval.join()}, expected two noise levels, the lower one first`,
      { hint: 'levels are σ = √((1−ᾱ)/ᾱ): the article uses 0.28,2.9' },
    );
  const [low, high] = interval ?? [-1, Infinity];
  return ({ timestep, alphaBar }) => {
    const sigma = Math.sqrt((1 - alphaBar) / alphaBar);
    return sigma > low && sigma <= high ? scale * SCHEDULES[schedule](timestep / timesteps) : 0;
  };
}
