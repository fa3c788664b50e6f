/** Sampling with an exact prior on linear-Gaussian problems: everything has a closed form. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { dsg } from '../../src/guidance/dsg.ts';
import type { Guidance } from '../../src/guidance/guidance.ts';
import { measurementLoss } from '../../src/guided/measured.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { operators } from '../../src/operators/operators.ts';
import type { Operator } from '../../src/operators/operator.ts';
import { openDenoiser } from '../../src/pipeline/denoiser.ts';
import { loadModel, type Model } from '../../src/pipeline/model.ts';
import { openRestorer } from '../../src/pipeline/restore.ts';
import { ddpm } from '../../src/samplers/ddpm.ts';
import { betas } from '../../src/schedules/betas.ts';
import { respace, steps as stepsOf, type Step } from '../../src/schedules/respace.ts';
import { imageNorms } from '../../src/tensor/batch.ts';
import { gaussian, noiseKey } from '../../src/tensor/noise.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { mixtureGraph, posteriorMean, type Mixture } from '../helpers/mixture.ts';
import { randomTensor } from '../helpers/random.ts';

const shape = [1, 2, 2] as const;
/** One isotropic Gaussian: its posterior given y = mask·x + σn is Gaussian, pixel by pixel. */
const gaussianPrior: Mixture = {
  shape,
  weights: [1],
  means: [[0.3, -0.2, 0.1, 0.4]],
  variances: [[0.09, 0.09, 0.09, 0.09]],
};
const twoModes: Mixture = {
  shape,
  weights: [0.3, 0.7],
  means: [
    [0.5, -0.4, 0.2, 0.1],
    [-0.3, 0.6, -0.1, 0.3],
  ],
  variances: [
    [0.04, 0.09, 0.02, 0.05],
    [0.06, 0.03, 0.05, 0.04],
  ],
};
const mask = tensor([1, 2, 2], Float32Array.of(1, 0, 1, 1));
const measurement = tensor([1, 2, 2], Float32Array.of(0.55, 0, -0.25, 0.5));
const folder = temporaryFolder();

async function modelOf(prior: Mixture, batch: number, name: string): Promise<Model> {
  const file = path.join(folder, `${name}.onnx`);
  await writeFile(file, encodeGraph(mixtureGraph(prior, batch)));
  // An unbounded prior has no business being clipped.
  return loadModel(file, { clip: false });
}

function denoiserOf(model: Model, operator: Operator, batch: number) {
  const subject = { losses: [measurementLoss(operator, measurement)] };
  const denoiser = openDenoiser({
    model,
    like: subject,
    batch,
    canvas: { height: 2, width: 2 },
    placement: { image: shape, top: 0, left: 0 },
    session: { threads: 1 },
  });
  return { denoiser, denoise: denoiser.bind(Array.from({ length: batch }, () => subject)) };
}

describe('the guided graph on a mixture of two Gaussians', () => {
  const taps = tensor([3, 1], Float32Array.of(0.2, 0.5, 0.3));
  const degradations: [string, Operator][] = [
    ['mask', operators.inpainting({ mask })],
    ['blur', operators.kernelBlur({ kernel: taps })],
  ];

  it.each(degradations)('x̂₀, loss and gradient are the analytic ones: %s', async (_, operator) => {
    const model = await modelOf(twoModes, 1, `modes-${operator.signature}`);
    const { denoiser, denoise } = denoiserOf(model, operator, 1);
    const A = (x: readonly number[]): number[] => {
      if (operator.name === 'inpaint') return x.map((v, i) => v * (mask.data[i] ?? 0));
      // A column of two pixels, reflected: (x1, x0, x1, x0).
      const [a = 0, c = 0, e = 0, f = 0] = x;
      const column = (p: number, q: number) => [0.5 * p + 0.5 * q, 0.5 * p + 0.5 * q];
      const [left, right] = [column(a, e), column(c, f)];
      return [left[0]!, right[0]!, left[1]!, right[1]!];
    };
    const lossAt = (x: readonly number[], alphaBar: number): number =>
      Math.hypot(
        ...A(posteriorMean(twoModes, x, alphaBar)).map((v, i) => measurement.data[i]! - v),
      );
    for (const step of stepsOf(respace(betas({ name: 'linear' }), 5))) {
      const x = randomTensor(`x${step.index}`, [1, ...shape]);
      const out = await denoise(x, step, { gradient: true });
      const at = [...x.data];
      const mean = posteriorMean(twoModes, at, step.alphaBar);
      mean.forEach((v, i) => expect(out.x0.data[i]).toBeCloseTo(v, 3));
      expect(out.loss![0]).toBeCloseTo(lossAt(at, step.alphaBar), 3);
      const h = 1e-5;
      at.forEach((v, i) => {
        const moved = (by: number) => lossAt(at.with(i, v + by), step.alphaBar);
        const slope = (moved(h) - moved(-h)) / (2 * h);
        expect(out.gradient!.data[i]).toBeCloseTo(slope, 3);
      });
    }
    await denoiser.release();
  });
});

describe('sampling the posterior of a Gaussian prior', () => {
  const batch = 512;
  const sigma = 0.2;
  let samples: Tensor[];

  // With covariance v_t I of x0 given x_t, p(y|x_t) is N(A x̂₀, (σ² + v_t) I) where measured, so
  // ∇ log p(y|x_t) = −ℓ ∇ℓ / (σ² + v_t) with ℓ = ‖y − A x̂₀‖: an exact guidance, built from the
  // same loss and gradient that DPS uses.
  const exact: Guidance = {
    name: 'exact',
    guides: () => true,
    apply({ step, sample, gradient, loss }) {
      const s2 = gaussianPrior.variances[0]![0]!;
      const total = step.alphaBar * s2 + 1 - step.alphaBar;
      const spread = sigma ** 2 + (s2 * (1 - step.alphaBar)) / total;
      const pull = step.beta / Math.sqrt(1 - step.beta) / spread;
      const d = gradient.data.length / batch;
      const data = sample.data.map(
        (v, i) => v - pull * loss![Math.floor(i / d)]! * gradient.data[i]!,
      );
      return tensor(sample.shape, data);
    },
  };

  beforeAll(async () => {
    const model = await modelOf(gaussianPrior, batch, 'gaussian');
    const { denoiser, denoise } = denoiserOf(model, operators.inpainting({ mask }), batch);
    const noise = (stream: 'x_T' | 'step', index: number) =>
      gaussian(noiseKey(5, 'posterior'), stream, index, [batch, ...shape]);
    const run = ddpm({ variance: 'fixed_small' })({
      denoise,
      x: noise('x_T', 0),
      steps: stepsOf(respace(betas({ name: 'linear' }), 250)),
      guidance: exact,
      noise: (step: Step) => noise('step', step.index),
    });
    let next = await run.next();
    while (!next.done) next = await run.next();
    const result = next.value;
    samples = Array.from({ length: batch }, (_, i) =>
      tensor([4], result.data.slice(4 * i, 4 * i + 4)),
    );
    await denoiser.release();
  }, 120_000);

  const column = (i: number) => samples.map((s) => s.data[i]!);
  const mean = (v: number[]) => v.reduce((a, c) => a + c, 0) / v.length;
  const covariance = (a: number[], c: number[]) =>
    mean(a.map((v, i) => (v - mean(a)) * (c[i]! - mean(c))));

  it.each([0, 1, 2, 3])('pixel %i has the posterior mean and variance', (i) => {
    const [m, s2] = [gaussianPrior.means[0]![i]!, gaussianPrior.variances[0]![i]!];
    const measured = mask.data[i] === 1;
    const variance = measured ? 1 / (1 / s2 + 1 / sigma ** 2) : s2;
    const centre = measured ? variance * (m / s2 + measurement.data[i]! / sigma ** 2) : m;
    const values = column(i);
    // Five standard errors of 512 draws, and the discretization of 250 steps.
    const error = Math.sqrt(variance / batch);
    expect(Math.abs(mean(values) - centre)).toBeLessThan(5 * error + 0.01);
    const ratio = covariance(values, values) / variance;
    expect(Math.abs(ratio - 1)).toBeLessThan(5 * Math.sqrt(2 / batch) + 0.05);
  });

  it('pixels are uncorrelated', () => {
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < i; j++) {
        const [a, c] = [column(i), column(j)];
        const r = covariance(a, c) / Math.sqrt(covariance(a, a) * covariance(c, c));
        expect(Math.abs(r)).toBeLessThan(5 / Math.sqrt(batch));
      }
  });
});

// Where it measures one value, a step as far as the gradient reaches is exact whatever the variance.
describe.each([1, 0.2])('pseudoinverse guidance of a prior of variance %d', (s2) => {
  const [batch, sigma] = [512, 0.3];
  const prior: Mixture = { ...gaussianPrior, variances: [[s2, s2, s2, s2]] };
  const half = operators.superResolution({ scale: 2 });
  let samples: Tensor[];
  let means: Tensor[];

  async function sampled(average?: number): Promise<Tensor[]> {
    const restorer = openRestorer({
      model: await modelOf(prior, batch, `variance-${s2}`),
      method: { name: 'pigdm', whiten: 1, average, averageAt: 0.3 },
      sampler: { name: 'ddpm', variance: 'fixed_small' },
      steps: 250,
      seed: 7,
      session: { threads: 1 },
    });
    const y = tensor([1, 1, 1], Float32Array.of(0.9));
    const jobs = Array.from({ length: batch }, (_, i) => {
      return { name: `${i}`, measurement: y, operator: half, sigma };
    });
    const run = restorer.restore(jobs);
    let next = await run.next();
    while (!next.done) next = await run.next();
    await restorer.release();
    return next.value;
  }

  beforeAll(async () => {
    samples = await sampled();
    means = await sampled(60);
  }, 240_000);

  // y is the mean of the four pixels: A = 1/4 (1 1 1 1), A Aᵀ = 1/4.
  const [m] = prior.means;
  const gain = (0.25 * s2) / (sigma ** 2 + 0.25 * s2);
  const missed = 0.9 - m!.reduce((sum, v) => sum + v / 4, 0);

  it('with the last steps averaged, the mean, and less of what differs', () => {
    const variance = (of: Tensor[], i: number): number => {
      const centre = of.reduce((sum, x) => sum + x.data[i]! / batch, 0);
      return of.reduce((sum, x) => sum + (x.data[i]! - centre) ** 2 / batch, 0);
    };
    for (let i = 0; i < 4; i++) {
      const centre = means.reduce((sum, x) => sum + x.data[i]! / batch, 0);
      const error = Math.sqrt(s2 / batch);
      expect(Math.abs(centre - m![i]! - gain * missed)).toBeLessThan(5 * error);
      expect(variance(means, i)).toBeLessThan(0.5 * variance(samples, i));
    }
  });

  it('samples have the mean and the covariance of the posterior', () => {
    const mean = (of: (s: Float32Array) => number): number =>
      samples.reduce((sum, s) => sum + of(s.data) / batch, 0);
    for (let i = 0; i < 4; i++) {
      const centre = m![i]! + gain * missed;
      const error = Math.sqrt(s2 / batch);
      expect(Math.abs(mean((s) => s[i]!) - centre)).toBeLessThan(5 * error);
      for (let j = 0; j <= i; j++) {
        const covariance = s2 * ((i === j ? 1 : 0) - gain / 4);
        const found = mean((s) => (s[i]! - centre) * (s[j]! - m![j]! - gain * missed));
        expect(Math.abs(found - covariance)).toBeLessThan(5 * s2 * Math.sqrt(2 / batch));
      }
    }
    // Of what was measured, where the prior alone would leave a quarter.
    const measured = (s: Float32Array): number => s.reduce((sum, v) => sum + v / 4, 0);
    const centre = mean(measured);
    const variance = mean((s) => (measured(s) - centre) ** 2);
    expect(variance / (0.25 * s2 * (1 - gain))).toBeGreaterThan(0.7);
    expect(variance / (0.25 * s2 * (1 - gain))).toBeLessThan(1.4);
    expect(Math.abs(centre - (0.9 - (1 - gain) * missed))).toBeLessThan(0.06);
  });
});

describe('DSG on a Gaussian prior', () => {
  it('keeps every guided step on the sphere of radius √n σ', async () => {
    const batch = 8;
    const model = await modelOf(gaussianPrior, batch, 'sphere');
    const { denoiser, denoise } = denoiserOf(model, operators.inpainting({ mask }), batch);
    const guidance = dsg({ rate: 0.3, interval: 1 });
    let checked = 0;
    const watched: Guidance = {
      ...guidance,
      apply(p) {
        const out = guidance.apply(p);
        const away = imageNorms(
          tensor(
            out.shape,
            out.data.map((v, i) => v - p.mean.data[i]!),
          ),
        );
        for (const r of away)
          expect(r / (2 * (p.sigma as number) || 1)).toBeCloseTo(p.sigma ? 1 : 0, 4);
        checked++;
        return out;
      },
    };
    const noise = (stream: 'x_T' | 'step', index: number) =>
      gaussian(noiseKey(6, 'sphere'), stream, index, [batch, ...shape]);
    const run = ddpm({ variance: 'fixed_small' })({
      denoise,
      x: noise('x_T', 0),
      steps: stepsOf(respace(betas({ name: 'linear' }), 30)),
      guidance: watched,
      noise: (step: Step) => noise('step', step.index),
    });
    while (!(await run.next()).done);
    expect(checked).toBe(30);
    await denoiser.release();
  });

  it('ends nearer to the measurement than the prior alone, and DPS does too', async () => {
    const operator = operators.inpainting({ mask });
    const model = await modelOf(gaussianPrior, 16, 'methods');
    const jobs = Array.from({ length: 16 }, (_, i) => ({ name: `${i}`, measurement, operator }));
    const residual = async (method: Parameters<typeof openRestorer>[0]['method']) => {
      const restorer = openRestorer({
        model,
        method,
        sampler: { name: 'ddim', eta: 1 },
        steps: 50,
        seed: 1,
        session: { threads: 1 },
      });
      const run = restorer.restore(jobs);
      let next = await run.next();
      while (!next.done) next = await run.next();
      await restorer.release();
      const errors = next.value.map(({ data }) =>
        Math.hypot(...data.map((v, i) => mask.data[i]! * (measurement.data[i]! - v))),
      );
      return mean(errors);
    };
    const mean = (v: number[]) => v.reduce((a, c) => a + c, 0) / v.length;
    const [plain, dps, constrained] = [
      await residual({ name: 'none' }),
      await residual({ name: 'dps', stepSize: 0.05 }),
      await residual({ name: 'dsg', rate: 0.2, interval: 1 }),
    ];
    expect(dps).toBeLessThan(0.8 * plain);
    expect(constrained).toBeLessThan(0.8 * plain);
  });
});
