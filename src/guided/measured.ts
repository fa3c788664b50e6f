/** Data fidelity as a loss: how far A(x̂₀) is from the measurement. */
import { UserError } from '../errors.ts';
import type { Loss } from '../losses/loss.ts';
import { measurementNorm, whitenedNorm } from '../losses/measurement.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import type { Operator } from '../operators/operator.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** That of the DPS and DSG articles. */
export const usualSigma = 0.05;

/** What rounding to 8 bits leaves, on [-1,1]: no measurement is taken to be more exact. */
const ROUNDING = 2 / 255 / Math.sqrt(12);

export interface FidelityOptions {
  /** v, from 0: the variance of images that x̂₀ does not know of, at full noise. 0: the plain norm. */
  readonly whiten?: number | undefined;
  /** Standard deviation of the measurement's noise on [-1,1]; `usualSigma` where nobody knows. */
  readonly sigma?: number | undefined;
}

/**
 * ‖y − A(x̂₀)‖₂ (Chung et al. 2023, DPS, algorithm 1), or whitened,
 * σ ‖(σ² I + v (1−ᾱ) A Aᵀ)^{-1/2} (y − A(x̂₀))‖₂.
 *
 * Given x_t, x0 is taken to be Gaussian around x̂₀ with variance r_t² = v (1−ᾱ), and so is y around
 * A(x̂₀): a residual counts by what it can be expected to be, and what a blur weakens as much as
 * what it keeps. The gradient has the direction of Song et al., Pseudoinverse-Guided Diffusion
 * Models for Inverse Problems (ICLR 2023), equation 7, where v = 1. σ before it keeps the unit; at the
 * end, where ᾱ is 1, it is the norm.
 * @param measurement y, `[C,H,W]`
 * @throws UserError for a v that is negative or not finite
 */
export function measurementLoss(
  operator: Operator,
  measurement: Tensor,
  { whiten = 0, sigma = usualSigma }: FidelityOptions = {},
): Loss {
  if (!(whiten >= 0 && whiten < Infinity))
    throw new UserError(`whitening by ${whiten}, expected a number from 0`, {
      hint: '0 is the plain norm, 1 that of pseudoinverse guidance',
    });
  // Fed, so that images of other noise share the graph.
  const spread = Float32Array.of(Math.sqrt(whiten) / Math.max(sigma, ROUNDING));
  return {
    signature: [whiten > 0 && 'whitened', operator.signature, ...measurement.shape].join(),
    parameters: {
      ...operator.parameters,
      measurement,
      ...(whiten > 0 && { spread: tensor([1, 1, 1], spread) }),
    },
    value(b, image, { measurement: y, spread: known, ...parameters }, { noise }) {
      // An operator that cannot take the image says so better than a shape does.
      const [, c = 0, h = 0, w = 0] = image.shape;
      operator.measured([c, h, w]);
      if (!y) throw new Error('measurementLoss: no measurement');
      const predicted = operator.A(b, image, parameters);
      if (!known || !noise) return measurementNorm(b, y, predicted);
      const { coordinates, power } = operator.spectrum(b, b.sub(y, predicted));
      return whitenedNorm(b, coordinates, deviation(b, power, b.mul(noise, known)));
    },
  };
}

/** √(1 + ρ² λ): of a direction of A Aᵀ's eigenvalue λ, in units of σ. @param ratio ρ = r_t/σ */
function deviation(b: GraphBuilder, power: Value, ratio: Value): Value {
  const explained = b.mul(b.mul(ratio, ratio), power);
  return b.op('Sqrt', [b.add(explained, b.scalar(1, explained))]);
}
