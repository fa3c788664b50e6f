/** Pseudoinverse guidance: the score of x_t becomes that of the posterior. */
import type { Guidance } from './guidance.ts';
import { universal } from './universal.ts';

/**
 * x0 <- x0 - (1-alphaBar)/sqrt(alphaBar) g with g the gradient of -log p(y|x_t): what Tweedie's formula
 * makes of the score of x_t with the measurement's added. Song et al., Pseudoinverse-Guided
 * Diffusion Models for Inverse Problems (ICLR 2023), equations 3 and 7, without the article's weight
 * for DDIM, so that it is exact wherever the likelihood is. There is nothing to tune, if the loss is
 * that likelihood and not a norm. It wants all the noise of eta = 1: with less, found by trying, its
 * steps do not reach the measurement.
 */
export const pseudoinverse: Guidance = { ...universal({ strength: 1 }), name: 'pigdm' };
