/** Diffusion posterior sampling: a gradient step of fixed size. */
import { UserError } from '../errors.ts';
import type { Guidance } from './guidance.ts';

export interface DpsOptions {
  /** zeta, from 0, for images in [-1,1] and a loss that is a norm, not its square. */
  readonly stepSize: number;
  /**
   * The side of the square images that the step size is for: it grows as the side, since the gradient
   * of a norm has a length of its own, which spreads over all pixels. Left out, it is for any.
   */
  readonly side?: number | undefined;
}

/**
 * x' <- x' - zeta g. Chung et al., Diffusion Posterior Sampling for General Noisy Inverse Problems
 * (2023), algorithm 1, in its published code's form: g is the gradient of ||y - A(x0)||.
 * @throws UserError if the step size is negative or not finite, or the side is not positive.
 */
export function dps({ stepSize, side }: DpsOptions): Guidance {
  if (!(stepSize >= 0 && stepSize < Infinity))
    throw new UserError(`dps: step size ${stepSize}, expected a number from 0`, {
      hint: 'the article uses 0.3 to 0.5',
    });
  if (side !== undefined && !(side > 0 && side < Infinity))
    throw new UserError(`dps: step size for images of side ${side}, expected a number above 0`);
  return {
    name: 'dps',
    guides: () => true,
    apply({ sample, gradient }) {
      const [x, g, data] = [sample.data, gradient.data, new Float32Array(sample.data.length)];
      const [height = 1, width = 1] = sample.shape.slice(-2);
      const size = side === undefined ? stepSize : (stepSize * Math.sqrt(height * width)) / side;
      for (let i = 0; i < data.length; i++) data[i] = x[i]! - size * g[i]!;
      return { shape: sample.shape, data };
    },
  };
}
