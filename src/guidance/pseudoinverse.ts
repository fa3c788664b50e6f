/** Pseudoinverse guidance: the score of x_t becomes that of the posterior. */
import type { Guidance } from './guidance.ts';
import { universal } from './universal.ts';

/**
 * x0 <- x0 - a (1-alphaBar)/sqrt(alphaBar) g with g the gradient of -log p(y|x_t): what Tweedie's formula
 * makes of the score of x_t with the measurement's added. Song et al., Pseudoinverse-Guided
 * Diffusion Models for Inverse Problems (ICLR 2023), equations 3 and 7, without the article's weight
 * for DDIM, so that it is exact wherever the likelihood is, and then a is 1. It is not where
 * neighbours err alike: each of them would ask for all of what they share. So a is as far as the
 * loss says that its gradient reaches. There is nothing to tune.
 */
export const pseudoinverse: Guidance = { ...universal({ strength: 1 }), name: 'pigdm' };
