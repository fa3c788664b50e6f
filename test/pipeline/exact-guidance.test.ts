/** Guidance on Gaussian mixtures, where every score has a closed form. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { openClassifiedDenoiser } from '../../src/pipeline/classified.ts';
import { loadClassifier, type Classifier } from '../../src/pipeline/classifier.ts';
import { classCondition } from '../../src/pipeline/condition.ts';
import { openDenoiser } from '../../src/pipeline/denoiser.ts';
import { generate, type GenerateOptions } from '../../src/pipeline/generate.ts';
import { loadModel } from '../../src/pipeline/model.ts';
import type { Step } from '../../src/schedules/respace.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { linearSteps, randn } from '../helpers/diffusion.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import {
  classifierGraph,
  component,
  labelledMixtureGraph,
  logDensity,
  posteriorMean,
  triangle,
} from '../helpers/mixture.ts';
import { encodeOpenBatch } from '../helpers/open-batch.ts';
import { relativeError } from '../helpers/random.ts';

const folder = temporaryFolder();
const at = (name: string): string => path.join(folder, name);
writeFileSync(at('model.onnx'), encodeOpenBatch(labelledMixtureGraph(triangle, 1)));
writeFileSync(at('noisy.onnx'), encodeOpenBatch(classifierGraph(triangle, 1)));
writeFileSync(at('clean.onnx'), encodeOpenBatch(cleanClassifier()));
const model = await loadModel(at('model.onnx'), {
  clip: false,
  classes: { input: 'y', count: 3, null: 3 },
});
const noisy = await loadClassifier(at('noisy.onnx'));
const clean = await loadClassifier(at('clean.onnx'));

/** log p(k | x₀) up to a constant: −‖x₀ − m‖² / 2s². */
function cleanClassifier() {
  const b = new GraphBuilder();
  const x = b.reshape(b.input('x', 'float32', [1, 2, 1, 1]), [-1, 1, 2]);
  const centred = b.sub(x, b.constant(triangle.means.flat(), 'float32', [1, 3, 2]));
  const squares = b.reduce('Sum', b.mul(centred, centred), [2], false);
  b.output(b.scale(squares, -0.5 / 0.04), 'logits');
  return b.graph;
}

const steps = linearSteps(20);
const levels = [0, 5, 10, 15, 19].map((i) => steps[i]!);
const label = 1;
const batch = 8;

interface Guided {
  readonly label?: number | undefined;
  readonly w?: number;
  readonly s?: number;
  readonly classifier?: Classifier;
}

async function epsOf(x: Tensor, step: Step, guided: Guided): Promise<Tensor> {
  const { label: told, w, s, classifier = noisy } = guided;
  const subject = { losses: [], condition: classCondition(model, told) };
  const input = {
    model,
    like: subject,
    batch,
    canvas: { height: 1, width: 1 },
    placement: { image: [2, 1, 1], top: 0, left: 0 },
    session: { threads: 1 },
    ...(w !== undefined && { classifierFree: { scale: w } }),
  } as const;
  const guidance = s === undefined ? undefined : { classifier, class: label, scale: s };
  const denoiser = guidance
    ? openClassifiedDenoiser(input, openDenoiser, guidance)
    : openDenoiser(input);
  const subjects = Array.from({ length: batch }, () => subject);
  const { eps } = await denoiser.bind(subjects)(x, step, { gradient: false });
  await denoiser.release();
  return eps;
}

/** x_t of images of all classes. */
function noisedAt({ alphaBar, index }: Step): Tensor {
  const z = randn(1, index, [batch, 2, 1, 1]);
  const spread = Math.sqrt(1 - 0.8 * alphaBar);
  return tensor(
    z.shape,
    z.data.map((v) => v * spread),
  );
}

function pointsOf({ data }: Tensor): [number, number][] {
  return Array.from({ length: data.length / 2 }, (_, i) => [data[2 * i]!, data[2 * i + 1]!]);
}

describe.each(levels.map((step) => [step.timestep, step] as const))('timestep %d', (_, step) => {
  const x = noisedAt(step);
  const noise = Math.sqrt(1 - step.alphaBar);

  test.each([0, 1, 2, undefined])('the network of class %s is the closed form', async (told) => {
    const prior = told === undefined ? triangle : component(triangle, told);
    const expected = pointsOf(x).flatMap((point) => {
      const mean = posteriorMean(prior, point, step.alphaBar);
      return point.map((v, i) => (v - Math.sqrt(step.alphaBar) * mean[i]!) / noise);
    });
    const eps = await epsOf(x, step, { label: told });
    expect(relativeError(eps, tensor(x.shape, Float32Array.from(expected)))).toBeLessThan(2e-4);
  });

  test.each([-0.5, 1, 4])('w = %d is the tilted score of p(x|c)^(1+w) p(x)^(−w)', async (w) => {
    const tilted = (point: readonly number[]): number =>
      (1 + w) * logDensity(component(triangle, label), point, step.alphaBar) -
      w * logDensity(triangle, point, step.alphaBar);
    const size = 1e-5;
    const expected = pointsOf(x).flatMap(([u, v]) => [
      (-noise * (tilted([u + size, v]) - tilted([u - size, v]))) / (2 * size),
      (-noise * (tilted([u, v + size]) - tilted([u, v - size]))) / (2 * size),
    ]);
    const eps = await epsOf(x, step, { label, w });
    expect(relativeError(eps, tensor(x.shape, Float32Array.from(expected)))).toBeLessThan(5e-4);
  });

  test.each([0, 1, 4])(
    'a classifier at s = 1+w without class, or s = w with it, is w = %d',
    async (w) => {
      const free = await epsOf(x, step, { label, w });
      expect(relativeError(await epsOf(x, step, { s: 1 + w }), free)).toBeLessThan(5e-4);
      expect(relativeError(await epsOf(x, step, { label, s: w }), free)).toBeLessThan(5e-4);
    },
  );
});

test('where noise is low, a classifier of x̂₀ says what one of x_t says', async () => {
  const step = levels.at(-1)!;
  const x = noisedAt(step);
  const one = await epsOf(x, step, { s: 50 });
  const other = await epsOf(x, step, { s: 50, classifier: clean });
  const without = await epsOf(x, step, {});
  expect(relativeError(other, one)).toBeLessThan(0.01);
  expect(relativeError(other, without)).toBeGreaterThan(0.03);
});

async function samples(options: Partial<GenerateOptions>): Promise<[number, number][]> {
  const images: [number, number][] = [];
  const run = generate({
    model,
    size: { height: 1, width: 1 },
    count: 256,
    batch: 256,
    method: { name: 'none' },
    sampler: { name: 'ddim', eta: 0 },
    steps: 50,
    seed: 0,
    session: { threads: 1 },
    ...options,
  });
  for await (const event of run)
    if (event.type === 'result') images.push([event.image.data[0]!, event.image.data[1]!]);
  return images;
}

/** log p(label | x₀) of the mixture. */
const certainty = (point: readonly number[]): number =>
  logDensity(component(triangle, label), point, 1) - Math.log(3) - logDensity(triangle, point, 1);

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, v) => sum + v, 0) / values.length;

test('w moves the mass of a class away from the others, and draws it together', async () => {
  const condition = classCondition(model, label);
  const [mu = 0, nu = 0] = triangle.means[label]!;
  const found: { away: number; spread: number; sure: number }[] = [];
  for (const scale of [0, 1, 3]) {
    const points = await samples({ condition, classifierFree: { scale } });
    // Along the direction in which the class lies, seen from the middle of all.
    const along = points.map(([u, v]) => (u * mu + v * nu) / Math.hypot(mu, nu));
    const away = meanOf(along);
    const spread = Math.sqrt(meanOf(along.map((v) => (v - away) ** 2)));
    found.push({ away, spread, sure: meanOf(points.map(certainty)) });
  }
  const [none, some, much] = found as [(typeof found)[0], (typeof found)[0], (typeof found)[0]];
  // The class itself: mean 0.4 and standard deviation 0.2, within the error of 256 samples.
  expect(none.away).toBeCloseTo(0.4, 1);
  expect(none.spread).toBeCloseTo(0.2, 1);
  expect(some.away - none.away).toBeGreaterThan(0.03);
  expect(much.away - some.away).toBeGreaterThan(0.02);
  expect(some.spread / none.spread).toBeLessThan(0.9);
  expect(much.spread / some.spread).toBeLessThan(0.95);
  expect(some.sure).toBeGreaterThan(none.sure);
  expect(much.sure).toBeGreaterThan(some.sure);
});

test('whole paths agree as well: every sample ends where it ends with a classifier', async () => {
  const condition = classCondition(model, label);
  const free = await samples({ condition, classifierFree: { scale: 1 } });
  const guidance = { classifier: noisy, class: label, scale: 2 };
  const classified = await samples({ classifier: guidance });
  for (const [i, [u, v]] of free.entries())
    expect(Math.hypot(u - classified[i]![0], v - classified[i]![1])).toBeLessThan(1e-3);
});
