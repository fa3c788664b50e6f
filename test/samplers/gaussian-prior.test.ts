/** Samplers against distributions that are known exactly. */
import { describe, expect, it } from 'vitest';
import { none } from '../../src/guidance/none.ts';
import { ddim } from '../../src/samplers/ddim.ts';
import { ddpm } from '../../src/samplers/ddpm.ts';
import type { Denoise, Sampler } from '../../src/samplers/sampler.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { linearSteps, randn, run } from '../helpers/diffusion.ts';
import { exactDenoise, exactVariance, moments, type Gaussian2 } from '../helpers/gaussian-prior.ts';

const PRIOR: Gaussian2 = { mean: [0.4, -0.7], cov: [0.25, 0, 0.09] };

/** Draws `count` samples in N steps from a denoiser; the seed is fixed. */
async function draw(sampler: Sampler, denoise: Denoise, N: number, count: number): Promise<Tensor> {
  const shape = [count, 2, 1, 1];
  const noise = ({ index }: { index: number }) => randn(7, index, shape);
  const x = randn(8, 0, shape);
  return (await run(sampler({ denoise, x, steps: linearSteps(N), guidance: none, noise }))).x;
}

/**
 * Mean and covariance within 4.5 standard errors of `count` draws, and of the bias of a finite
 * number of steps, given relative to the variances.
 */
function expectMoments(x: Tensor, { mean, cov }: Gaussian2, bias: number): void {
  const count = x.shape[0]!;
  const actual = moments(x);
  const [a, c, b] = cov;
  const errors = [
    (actual.mean[0] - mean[0]) / Math.sqrt(a / count),
    (actual.mean[1] - mean[1]) / Math.sqrt(b / count),
    excess(actual.cov[0] - a, bias * a) / Math.sqrt((2 * a * a) / count),
    excess(actual.cov[1] - c, bias * Math.sqrt(a * b)) / Math.sqrt((a * b + c * c) / count),
    excess(actual.cov[2] - b, bias * b) / Math.sqrt((2 * b * b) / count),
  ];
  for (const error of errors) expect(Math.abs(error)).toBeLessThan(4.5);
}

function excess(difference: number, allowed: number): number {
  return Math.max(0, Math.abs(difference) - allowed);
}

const withVariance: Denoise = async (x, step, want) => ({
  ...(await exactDenoise(PRIOR)(x, step, want)),
  variance: exactVariance(PRIOR, step, x.shape),
});

describe('with the exact prediction of a Gaussian prior', () => {
  it.each([
    ['ddim, eta 1', ddim({ eta: 1 })],
    ['ddim, eta 0.5', ddim({ eta: 0.5 })],
    ['ddim, eta 0', ddim({ eta: 0 })],
    ['ddpm, fixed_small', ddpm({ variance: 'fixed_small' })],
    ['ddpm, fixed_large', ddpm({ variance: 'fixed_large' })],
    ['ddpm, learned_range', ddpm({ variance: 'learned_range' })],
  ])('%s draws from the prior in many steps', async (_, sampler) => {
    expectMoments(await draw(sampler, withVariance, 1000, 2048), PRIOR, 0.02);
  });

  it('ddpm, learned_range draws from it in any number of steps, as its variance is exact', async () => {
    const learned = ddpm({ variance: 'learned_range' });
    for (const N of [3, 10])
      expectMoments(await draw(learned, withVariance, N, 65536), PRIOR, 0.002);
  });

  it.each([
    ['ddim', 0.9, ddim({ eta: 1, temperature: 0.9 })],
    ['ddim', 0.5, ddim({ eta: 1, temperature: 0.5 })],
    ['ddpm', 0.7, ddpm({ variance: 'fixed_small', temperature: 0.7 })],
  ])(
    '%s, temperature %f: the mean is exact, the spread that of its recursion',
    async (_, t, sampler) => {
      const N = 100;
      const at = (temperature: number): [number, number] => {
        let [p, q] = [1, 1];
        for (const { alphaBar: a, alphaBarPrev: b, posteriorVariance } of linearSteps(N)) {
          // x' = (sqrt(b) - c sqrt(a)) x0 + c x + tau sigma z, of a prediction x0 of slope k in x.
          const c = Math.sqrt(1 - b - posteriorVariance) / Math.sqrt(1 - a);
          const next = (variance: number, prior: number): number => {
            const k = (Math.sqrt(a) * prior) / (a * prior + 1 - a);
            const slope = (Math.sqrt(b) - c * Math.sqrt(a)) * k + c;
            return slope ** 2 * variance + temperature ** 2 * posteriorVariance;
          };
          [p, q] = [next(p, PRIOR.cov[0]), next(q, PRIOR.cov[2])];
        }
        return [p, q];
      };
      const [p, q] = at(t);
      expect(p).toBeLessThan(at(1)[0]);
      const drawn = await draw(sampler, withVariance, N, 16384);
      expectMoments(drawn, { mean: PRIOR.mean, cov: [p, 0, q] }, 1e-4);
    },
  );

  it('at temperature 0 asks for no noise', async () => {
    for (const sampler of [
      ddim({ eta: 1, temperature: 0 }),
      ddpm({ variance: 'fixed_small', temperature: 0 }),
    ])
      await run(
        sampler({
          denoise: exactDenoise(PRIOR),
          x: randn(9, 0, [4, 2, 1, 1]),
          steps: linearSteps(10),
          guidance: none,
          noise: () => expect.unreachable('noise'),
        }),
      );
  });

  it('ddim, eta 0 is the composition of its linear maps, and asks for no noise', async () => {
    const steps = linearSteps(50);
    const shape = [64, 2, 1, 1];
    const x = randn(9, 0, shape);
    const sample = () =>
      run(
        ddim({ eta: 0 })({
          denoise: exactDenoise(PRIOR),
          x,
          steps,
          guidance: none,
          noise: () => expect.unreachable('noise'),
        }),
      );
    const { x: end } = await sample();
    expect((await sample()).x).toEqual(end);

    // x' = sqrt(a') x0 + sqrt(1-a') eps, where x0 and eps are affine in x for each value.
    const maps = [PRIOR.cov[0], PRIOR.cov[2]].map((variance, k) => {
      let [slope, offset] = [1, 0];
      for (const { alphaBar: a, alphaBarPrev: b } of steps) {
        const gain = Math.sqrt(1 - a) / (a * variance + 1 - a);
        const shift = -gain * Math.sqrt(a) * PRIOR.mean[k as 0 | 1];
        const ofEps = Math.sqrt(1 - b) - Math.sqrt((b / a) * (1 - a));
        const ofX = Math.sqrt(b / a) + ofEps * gain;
        [slope, offset] = [ofX * slope, ofX * offset + ofEps * shift];
      }
      return { slope, offset };
    });
    end.data.forEach((value, i) => {
      const { slope, offset } = maps[i % 2]!;
      expect(Math.abs(value - (slope * x.data[i]! + offset))).toBeLessThan(1e-5);
    });
  });
});

describe('with the exact prediction of a Gaussian posterior', () => {
  // y = h.x0 + N(0, s2) for x0 of a correlated prior: gain k = C h / (h C h + s2).
  const prior: Gaussian2 = { mean: [0.2, -0.3], cov: [0.5, 0.2, 0.3] };
  const [h, s2, y] = [[1, -0.5] as const, 0.05, 0.9];
  const ch = [
    prior.cov[0] * h[0] + prior.cov[1] * h[1],
    prior.cov[1] * h[0] + prior.cov[2] * h[1],
  ] as const;
  const evidence = h[0] * ch[0] + h[1] * ch[1] + s2;
  const residual = y - h[0] * prior.mean[0] - h[1] * prior.mean[1];
  const posterior: Gaussian2 = {
    mean: [
      prior.mean[0] + (ch[0] * residual) / evidence,
      prior.mean[1] + (ch[1] * residual) / evidence,
    ],
    cov: [
      prior.cov[0] - ch[0] ** 2 / evidence,
      prior.cov[1] - (ch[0] * ch[1]) / evidence,
      prior.cov[2] - ch[1] ** 2 / evidence,
    ],
  };

  it.each([
    ['ddim, eta 1', ddim({ eta: 1 })],
    ['ddim, eta 0', ddim({ eta: 0 })],
    ['ddpm, fixed_small', ddpm({ variance: 'fixed_small' })],
    ['ddpm, fixed_large', ddpm({ variance: 'fixed_large' })],
  ])('%s draws from the posterior', async (_, sampler) => {
    expectMoments(await draw(sampler, exactDenoise(posterior), 1000, 2048), posterior, 0.03);
  });
});
