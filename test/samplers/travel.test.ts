/** Steps that are taken several times. */
import { describe, expect, it } from 'vitest';
import { dps } from '../../src/guidance/dps.ts';
import { none } from '../../src/guidance/none.ts';
import { ddim } from '../../src/samplers/ddim.ts';
import { ddpm } from '../../src/samplers/ddpm.ts';
import type { Denoise, SamplerInput, TimeTravel } from '../../src/samplers/sampler.ts';
import { linearSteps, randn, run } from '../helpers/diffusion.ts';
import { exactDenoise, exactVariance, moments, type Gaussian2 } from '../helpers/gaussian-prior.ts';

const prior: Gaussian2 = { mean: [0.4, -0.7], cov: [0.25, 0, 0.09] };
/** Noise of a step, of a pass, and of the way back, all different. */
const noiseOf =
  (seed: number, shape: readonly number[]): TimeTravel['noise'] =>
  ({ index }, pass) =>
    randn(seed, 1000 * pass + index, shape);

function input(count: number, N: number, changes: Partial<SamplerInput> = {}): SamplerInput {
  const shape = [count, 2, 1, 1];
  return {
    denoise: exactDenoise(prior),
    x: randn(1, 0, shape),
    steps: linearSteps(N),
    guidance: none,
    noise: noiseOf(2, shape),
    ...changes,
  };
}

describe('time travel', () => {
  it('leaves the distribution what it is', async () => {
    const count = 16384;
    const shape = [count, 2, 1, 1];
    const travel = { passes: () => 4, noise: noiseOf(3, shape) };
    // With the exact variance a step is exact however long it is, and so is going back.
    const denoise: Denoise = async (x, step, want) => ({
      ...(await exactDenoise(prior)(x, step, want)),
      variance: exactVariance(prior, step, x.shape),
    });
    const sampler = ddpm({ variance: 'learned_range' });
    const { mean, cov } = moments((await run(sampler(input(count, 8, { travel, denoise })))).x);
    const errors = [
      (mean[0] - 0.4) / Math.sqrt(0.25 / count),
      (mean[1] + 0.7) / Math.sqrt(0.09 / count),
      (cov[0] - 0.25) / (0.25 * Math.sqrt(2 / count)),
      (cov[2] - 0.09) / (0.09 * Math.sqrt(2 / count)),
      cov[1] / Math.sqrt((0.25 * 0.09) / count),
    ];
    for (const error of errors) expect(Math.abs(error)).toBeLessThan(4.5);
  });

  it('takes a step as often as it is told, with other noise each time, and yields it once', async () => {
    const taken: number[] = [];
    const asked: string[] = [];
    const shape = [3, 2, 1, 1];
    const denoise: Denoise = (x, step, want) => {
      taken.push(step.index);
      return exactDenoise(prior)(x, step, want);
    };
    const travel: TimeTravel = {
      passes: ({ index }) => (index === 2 ? 3 : 1),
      noise: (step, pass) => {
        asked.push(`back ${step.index} ${pass}`);
        return noiseOf(3, shape)(step, pass);
      },
    };
    const noise: SamplerInput['noise'] = (step, pass) => {
      asked.push(`step ${step.index} ${pass}`);
      return noiseOf(2, shape)(step, pass);
    };
    const { states } = await run(ddim({ eta: 1 })(input(3, 4, { denoise, travel, noise })));
    expect(taken).toEqual([3, 2, 2, 2, 1, 0]);
    expect(states.map((s) => s.step.index)).toEqual([3, 2, 1, 0]);
    expect(asked).toEqual([
      'step 3 0',
      'step 2 0',
      'back 2 0',
      'step 2 1',
      'back 2 1',
      'step 2 2',
      'step 1 0',
    ]);
  });

  it('goes on with the mean of what the passes end at where it averages, and yields each', async () => {
    const shape = [3, 2, 1, 1];
    const last = ({ index }: { readonly index: number }): boolean => index === 0;
    const seen: Float32Array[] = [];
    const denoise: Denoise = async (x, step, want) => {
      const denoised = await exactDenoise(prior)(x, step, want);
      if (last(step)) seen.push(denoised.x0.data);
      return denoised;
    };
    const travel = {
      passes: (step: { readonly index: number }) => (last(step) ? 3 : 1),
      averages: last,
      noise: noiseOf(3, shape),
    };
    const { states, x } = await run(ddim({ eta: 1 })(input(3, 4, { denoise, travel })));
    expect(states.map((s) => s.step.index)).toEqual([3, 2, 1, 0, 0, 0]);
    // The last step ends at x0 itself.
    expect(seen).toHaveLength(3);
    expect(new Set(seen.map(String)).size).toBe(3);
    for (let i = 0; i < x.data.length; i++)
      expect(x.data[i]).toBeCloseTo(
        seen.reduce((sum, x0) => sum + x0[i]! / 3, 0),
        6,
      );
  });

  it('goes back from where the last pass ended, also where it averages', async () => {
    const shape = [1, 2, 1, 1];
    const [seen, ends]: [Float32Array[], Float32Array[]] = [[], []];
    const denoise: Denoise = async (x, step, want) => {
      seen.push(x.data);
      const denoised = await exactDenoise(prior)(x, step, want);
      // With one step left, it ends at x0.
      ends.push(denoised.x0.data);
      return denoised;
    };
    const travel = { passes: () => 3, averages: () => true, noise: noiseOf(3, shape) };
    const steps = linearSteps(3).slice(-1);
    await run(ddim({ eta: 1 })(input(1, 3, { denoise, travel, steps })));
    const { beta } = steps[0]!;
    for (const pass of [1, 2]) {
      const z = noiseOf(3, shape)(steps[0]!, pass - 1).data;
      const back = [...z].map(
        (v, i) => Math.sqrt(1 - beta) * ends[pass - 1]![i]! + Math.sqrt(beta) * v,
      );
      expect([...seen[pass]!]).toEqual(back.map((v) => expect.closeTo(v, 6)));
    }
  });

  it('goes back by the forward process: √(1−β) x′ + √β z', async () => {
    const shape = [1, 2, 1, 1];
    const seen: Float32Array[] = [];
    const denoise: Denoise = (x, step, want) => {
      seen.push(x.data);
      return exactDenoise(prior)(x, step, want);
    };
    const travel = { passes: () => 2, noise: noiseOf(3, shape) };
    const sampler = ddim({ eta: 0 });
    await run(sampler(input(1, 3, { denoise, travel })));
    const [first] = linearSteps(3);
    const once = await run(sampler(input(1, 3)));
    const z = noiseOf(3, shape)(first!, 0).data;
    const [beta, x] = [first!.beta, once.states[0]!.x.data];
    for (const i of [0, 1])
      expect(seen[1]![i]).toBeCloseTo(Math.sqrt(1 - beta) * x[i]! + Math.sqrt(beta) * z[i]!, 6);
  });

  it('comes nearer to what guidance wants, for the same step size', async () => {
    // The loss |u − 1| of the first value, whose slope at x_t goes as that of x0.
    const denoise: Denoise = async (x, step, want) => {
      const denoised = await exactDenoise(prior)(x, step, want);
      const slope = (v: number, i: number): number => (i % 2 === 0 ? Math.sign(v - 1) : 0);
      return { ...denoised, gradient: { shape: x.shape, data: denoised.x0.data.map(slope) } };
    };
    const guidance = dps({ stepSize: 0.02 });
    const distance = async (changes: Partial<SamplerInput>): Promise<number> => {
      const all = { denoise, guidance, ...changes };
      return Math.abs(moments((await run(ddim({ eta: 1 })(input(512, 50, all)))).x).mean[0] - 1);
    };
    const travel = { passes: () => 4, noise: noiseOf(3, [512, 2, 1, 1]) };
    expect(await distance({ travel })).toBeLessThan(0.9 * (await distance({})));
  });
});
