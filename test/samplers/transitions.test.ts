/** One step of every sampler against its formula, seen through a guidance that writes it down. */
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import type { Guidance, Proposal } from '../../src/guidance/guidance.ts';
import { ddim } from '../../src/samplers/ddim.ts';
import { ddpm, type DdpmOptions } from '../../src/samplers/ddpm.ts';
import type { Sampler } from '../../src/samplers/sampler.ts';
import { betas } from '../../src/schedules/betas.ts';
import { respace, steps, type Step } from '../../src/schedules/respace.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { filled, linearSteps, randn, run } from '../helpers/diffusion.ts';

const SHAPE = [2, 3, 4, 4];
const all = linearSteps(20);
const [first, middle, last] = [all[0]!, all[10]!, all[19]!];
const x = randn(1, 0, SHAPE);
const x0 = randn(2, 0, SHAPE);
const z = randn(3, 0, SHAPE);
const zero = filled(SHAPE, 0);

/** What the sampler proposes for one step. */
async function proposal(sampler: Sampler, step: Step, variance = zero): Promise<Proposal> {
  let seen: Proposal | undefined;
  const guidance: Guidance = {
    name: 'spy',
    guides: () => true,
    apply: (p) => (seen = p).sample,
  };
  // eps is nonsense here: samplers recompute it from x0.
  const denoise = async () => ({ eps: zero, x0, variance, gradient: zero });
  await run(sampler({ denoise, x, steps: [step], guidance, noise: () => z }));
  return seen!;
}

function expectClose({ data }: Tensor, expected: (i: number) => number): void {
  data.forEach((value, i) => expect(Math.abs(value - expected(i))).toBeLessThan(1e-6));
}

function number(sigma: number | Tensor): number {
  expect(sigma).toBeTypeOf('number');
  return sigma as number;
}

describe.each([0, 0.5, 1])('ddim, eta %f', (eta) => {
  it.each([first, middle, last])('step $index', async (step) => {
    const { alphaBar: a, alphaBarPrev: b } = step;
    const { mean, sigma, sample } = await proposal(ddim({ eta }), step);
    const variance = eta ** 2 * ((1 - b) / (1 - a)) * (1 - a / b);
    expect(number(sigma)).toBeCloseTo(Math.sqrt(variance), 12);
    expectClose(mean, (i) => {
      const eps = (x.data[i]! - Math.sqrt(a) * x0.data[i]!) / Math.sqrt(1 - a);
      return Math.sqrt(b) * x0.data[i]! + Math.sqrt(1 - b - variance) * eps;
    });
    const noise = step === last ? 0 : Math.sqrt(variance);
    expectClose(sample, (i) => mean.data[i]! + noise * z.data[i]!);
  });
});

describe.each<DdpmOptions['variance']>(['fixed_small', 'fixed_large', 'learned_range'])(
  'ddpm, %s',
  (variance) => {
    it.each([first, middle, last])('step $index: the mean of q', async (step) => {
      // q(x' | x_t, x0) as the product of x' ~ N(sqrt(a') x0, 1-a') and x_t ~ N(sqrt(1-beta) x', beta).
      const { beta, alphaBarPrev: b } = step;
      const { mean } = await proposal(ddpm({ variance }), step);
      expectClose(mean, (i) => {
        if (step === last) return x0.data[i]!;
        const precision = (1 - beta) / beta + 1 / (1 - b);
        const sum =
          (Math.sqrt(1 - beta) * x.data[i]!) / beta + (Math.sqrt(b) * x0.data[i]!) / (1 - b);
        return sum / precision;
      });
    });

    it('adds no noise at the last step', async () => {
      const { sample, mean } = await proposal(ddpm({ variance }), last);
      expect(sample).toEqual(mean);
    });
  },
);

describe('the sigma of ddpm', () => {
  const beforeLast = all[18]!;

  it('fixed_small is that of q, 0 at the last step', async () => {
    const sampler = ddpm({ variance: 'fixed_small' });
    const { sigma, sample, mean } = await proposal(sampler, middle);
    const precision = (1 - middle.beta) / middle.beta + 1 / (1 - middle.alphaBarPrev);
    expect(number(sigma)).toBeCloseTo(1 / Math.sqrt(precision), 12);
    expectClose(sample, (i) => mean.data[i]! + number(sigma) * z.data[i]!);
    expect((await proposal(sampler, last)).sigma).toBe(0);
  });

  it('fixed_large is sqrt(beta), at the last step that of q one step before', async () => {
    const sampler = ddpm({ variance: 'fixed_large' });
    expect((await proposal(sampler, middle)).sigma).toBe(Math.sqrt(middle.beta));
    const { sigma } = await proposal(sampler, last);
    expect(sigma).toBe(Math.sqrt(beforeLast.posteriorVariance));
  });

  it.each([
    ['the small', -1, middle, middle.posteriorVariance],
    ['the large', 1, middle, middle.beta],
    ['their geometric mean', 0, middle, Math.sqrt(middle.beta * middle.posteriorVariance)],
    ['the small, clipped', -1, last, beforeLast.posteriorVariance],
    ['the large', 1, last, last.beta],
  ])('learned_range is %s at %i, step $index', async (_, value, step, variance) => {
    const sampler = ddpm({ variance: 'learned_range' });
    const { sigma } = await proposal(sampler, step, filled(SHAPE, value));
    for (const s of (sigma as Tensor).data) expect(s / Math.sqrt(variance)).toBeCloseTo(1, 6);
  });

  it.each([
    [20, -1],
    [20, 1],
    [1, 0.5],
  ])(
    'of %i steps that end at the first noise level, the last adds nothing, v %f',
    async (N, value) => {
      const step = steps(
        respace(betas({ name: 'linear' }), N, { spacing: 'leading', end: 'first' }),
      ).at(-1)!;
      const sampler = ddpm({ variance: 'learned_range' });
      const { sigma, sample } = await proposal(sampler, step, filled(SHAPE, value));
      expect(sigma).toEqual(zero);
      expectClose(sample, (i) => x.data[i]!);
    },
  );

  it('learned_range is one for every value', async () => {
    const v = { shape: SHAPE, data: randn(4, 0, SHAPE).data.map(Math.tanh) };
    const { sigma, sample, mean } = await proposal(ddpm({ variance: 'learned_range' }), middle, v);
    expectClose(sample, (i) => {
      const weight = (v.data[i]! + 1) / 2;
      const s = Math.sqrt(middle.beta ** weight * middle.posteriorVariance ** (1 - weight));
      expect((sigma as Tensor).data[i]! / s).toBeCloseTo(1, 6);
      return mean.data[i]! + s * z.data[i]!;
    });
  });
});

describe.each([
  ['ddim', (temperature: number) => ddim({ eta: 0.5, temperature })],
  ['ddpm, fixed_large', (temperature: number) => ddpm({ variance: 'fixed_large', temperature })],
  [
    'ddpm, learned_range',
    (temperature: number) => ddpm({ variance: 'learned_range', temperature }),
  ],
])('temperature of %s', (_, sampler) => {
  const values = (sigma: number | Tensor): number[] =>
    typeof sigma === 'number' ? [sigma] : Array.from(sigma.data);

  it('is that of the noise, and leaves means as they are', async () => {
    const full = await proposal(sampler(1), middle);
    const { mean, sigma, sample } = await proposal(sampler(0.8), middle);
    expect(mean).toEqual(full.mean);
    values(sigma).forEach((s, i) => expect(s / values(full.sigma)[i]!).toBeCloseTo(0.8, 6));
    expectClose(sample, (i) => mean.data[i]! + 0.8 * (full.sample.data[i]! - full.mean.data[i]!));
  });

  it.each([-0.1, Infinity, NaN])('is not %f', (temperature) => {
    expect(() => sampler(temperature)).toThrow(UserError);
    expect(() => sampler(temperature)).toThrow(`temperature ${temperature}`);
  });
});

it.each([-0.1, 1.1, NaN])('ddim refuses eta %f', (eta) => {
  expect(() => ddim({ eta })).toThrow(UserError);
  expect(() => ddim({ eta })).toThrow(`eta ${eta}`);
});
