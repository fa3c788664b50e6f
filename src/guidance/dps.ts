/** Diffusion posterior sampling: a gradient step of fixed size. */
import { UserError } from '../errors.ts';
import type { Guidance } from './guidance.ts';

export interface DpsOptions {
  /** zeta, from 0, for images in [-1,1] and a loss that is a norm, not its square. */
  readonly stepSize: number;
}

/**
 * x' <- x' - zeta g. Chung et al., Diffusion Posterior Sampling for General Noisy Inverse Problems
 * (2023), algorithm 1, in its published code's form: g is the gradient of ||y - A(x0)||.
 * @throws UserError if the step size is negative or not finite.
 */
export function dps({ stepSize }: DpsOptions): Guidance {
  if (!(stepSize >= 0 && stepSize < Infinity))
    throw new UserError(`dps: step size ${stepSize}, expected a number from 0`, {
      hint: 'the article uses 0.3 to 0.5',
    });
  return {
    name: 'dps',
    guides: () => true,
    apply({ sample, gradient }) {
      const [x, g, data] = [sample.data, gradient.data, new Float32Array(sample.data.length)];
      for (let i = 0; i < data.length; i++) data[i] = x[i]! - stepSize * g[i]!;
      return { shape: sample.shape, data };
    },
  };
}
