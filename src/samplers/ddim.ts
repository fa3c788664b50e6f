/** Denoising diffusion implicit models: any amount of noise, from none to that of DDPM. */
import { UserError } from '../errors.ts';
import type { Step } from '../schedules/respace.ts';
import { chain, type Temperature, type Transition } from './chain.ts';
import type { Sampler } from './sampler.ts';

export interface DdimOptions extends Temperature {
  /** 0 (deterministic) to 1 (as much noise as DDPM with its small variance). */
  readonly eta: number;
}

/**
 * Song et al., Denoising Diffusion Implicit Models (2021), equations 12 and 16, with eps
 * recomputed from x0, so that a clipped x0 and eps still add up to x_t.
 * @throws UserError if eta is outside 0..1, or the temperature negative or not finite.
 */
export function ddim({ eta, ...heat }: DdimOptions): Sampler {
  if (!(eta >= 0 && eta <= 1))
    throw new UserError(`ddim: eta ${eta}, expected a number from 0 to 1`, {
      hint: '0 is deterministic; 1, the default, is what guidance needs',
    });
  const transition = (_: unknown, { alphaBar, alphaBarPrev }: Step): Transition => {
    const sigma =
      eta * Math.sqrt((1 - alphaBarPrev) / (1 - alphaBar)) * Math.sqrt(1 - alphaBar / alphaBarPrev);
    // mu = sqrt(alphaBar') x0 + c eps, where eps = (x - sqrt(alphaBar) x0) / sqrt(1 - alphaBar).
    const ofX = Math.sqrt(1 - alphaBarPrev - sigma ** 2) / Math.sqrt(1 - alphaBar);
    return { ofX0: Math.sqrt(alphaBarPrev) - ofX * Math.sqrt(alphaBar), ofX, sigma };
  };
  return chain(transition, eta > 0, heat);
}
