/** Universal guidance: the predicted noise is bent, and with it the predicted image. */
import { UserError } from '../errors.ts';
import { along } from '../tensor/batch.ts';
import type { Guidance } from './guidance.ts';

export interface UniversalOptions {
  /** s of s(t) = s sqrt(1-alphaBar), from 0: 2 to 20000 in the article's experiments, by the loss. */
  readonly strength: number;
}

/**
 * Forward guidance: eps <- eps + s sqrt(1-alphaBar) g, which is
 * x0 <- x0 - s (1-alphaBar)/sqrt(alphaBar) g. Bansal et al., Universal Guidance for Diffusion Models
 * (2023), equation 6 and algorithm 1. Its self-recurrence is the sampler's time-travel, and its
 * backward guidance is `withBackward`. Where the loss tells how far its gradient reaches, it goes so far.
 * @throws UserError if the strength is negative or not finite.
 */
export function universal({ strength }: UniversalOptions): Guidance {
  if (!(strength >= 0 && strength < Infinity))
    throw new UserError(`ugd: strength ${strength}, expected a number from 0`, {
      hint: 'it goes with the size of the loss: begin with 1 and double it until it shows',
    });
  return {
    name: 'ugd',
    guides: () => true,
    async estimate({ x0, predicted = x0, gradient, step, reach }) {
      const rate = (strength * (1 - step.alphaBar)) / Math.sqrt(step.alphaBar);
      const found = await reach?.({ step, x0: predicted, gradient });
      return along(x0, gradient, (image) => -rate * (found?.[image] ?? 1));
    },
    apply: ({ sample }) => sample,
  };
}
