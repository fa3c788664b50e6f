/** Short-hands for tests of sampling: schedules, seeded noise, and running a sampler to its end. */
import type { SamplerState } from '../../src/samplers/sampler.ts';
import { betas } from '../../src/schedules/betas.ts';
import { respace, steps, type Step } from '../../src/schedules/respace.ts';
import { gaussian, noiseKey } from '../../src/tensor/noise.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** N steps of the linear schedule of 1000, noisiest first. */
export function linearSteps(N: number): Step[] {
  return steps(respace(betas({ name: 'linear' }), N));
}

/** Standard Gaussian values that depend on seed and counter only. */
export function randn(seed: number, counter: number, shape: readonly number[]): Tensor {
  return gaussian(noiseKey(seed, 'test'), 'step', counter, shape);
}

export function filled(shape: readonly number[], value: number): Tensor {
  return { shape, data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(value) };
}

/** What a sampler yields and what it returns. */
export async function run(
  sampling: AsyncGenerator<SamplerState, Tensor>,
): Promise<{ states: SamplerState[]; x: Tensor }> {
  const states: SamplerState[] = [];
  for (;;) {
    const { done, value } = await sampling.next();
    if (done) return { states, x: value };
    states.push(value);
  }
}
