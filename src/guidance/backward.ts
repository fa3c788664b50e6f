/** Backward guidance: a better x0 is looked for directly, without the network. */
import { UserError } from '../errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Descend, Guidance } from './guidance.ts';

export interface BackwardOptions {
  /** m, how often the loss is descended, from 1. */
  readonly steps: number;
  /** Of Adam: about how far a value of the image, which spans 2, moves at a step. Above 0. */
  readonly rate: number;
}

/**
 * The guidance, and at its steps x0 <- x0 + argmin loss(x0 + .) by m steps of Adam: Bansal et al.,
 * Universal Guidance for Diffusion Models (2023), equation 7, with the optimiser of its published
 * code. The eps that belongs to the changed x0 (equation 9) follows in the sampler, which takes
 * nothing else of the prediction.
 * @throws UserError for a count or rate out of range.
 */
export function withBackward(guidance: Guidance, { steps, rate }: BackwardOptions): Guidance {
  if (!Number.isInteger(steps) || steps < 1)
    throw new UserError(`backward guidance: ${steps} steps, expected a positive integer`);
  if (!(rate > 0 && rate < Infinity))
    throw new UserError(`backward guidance: rate ${rate}, expected a number above 0`, {
      hint: 'the published code uses 0.01',
    });
  return {
    ...guidance,
    async estimate(given) {
      if (!given.descend) throw new Error('backward guidance: no way to evaluate the loss');
      const forward = (await guidance.estimate?.(given)) ?? given.x0;
      return adam(forward, given.descend, { steps, rate });
    },
  };
}

const [BETA1, BETA2, TINY] = [0.9, 0.999, 1e-8];

/** Kingma & Ba, Adam (2015), algorithm 1: each value has a step of its own, so images do not mix. */
async function adam(
  start: Tensor,
  descend: Descend,
  { steps, rate }: BackwardOptions,
): Promise<Tensor> {
  const { shape } = start;
  const first = new Float64Array(start.data.length);
  const second = new Float64Array(start.data.length);
  let x0 = start;
  for (let t = 1; t <= steps; t++) {
    const { gradient } = await descend(x0);
    const data = new Float32Array(x0.data.length);
    for (let i = 0; i < data.length; i++) {
      const g = gradient.data[i]!;
      first[i] = BETA1 * first[i]! + (1 - BETA1) * g;
      second[i] = BETA2 * second[i]! + (1 - BETA2) * g * g;
      const mean = first[i]! / (1 - BETA1 ** t);
      const spread = Math.sqrt(second[i]! / (1 - BETA2 ** t)) + TINY;
      data[i] = x0.data[i]! - (rate * mean) / spread;
    }
    x0 = { shape, data };
  }
  return x0;
}
