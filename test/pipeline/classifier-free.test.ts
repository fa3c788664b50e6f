/** Classifier-free guidance in the graph, against its equation by hand on two conditional runs. */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CardOverrides } from '../../src/card/override.ts';
import type { ClassifierFree } from '../../src/guidance/classifier-free.ts';
import { measurementLoss } from '../../src/guided/measured.ts';
import type { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { operators } from '../../src/operators/operators.ts';
import { classCondition } from '../../src/pipeline/condition.ts';
import { openDenoiser, type Subject } from '../../src/pipeline/denoiser.ts';
import { fittingBatch, footprint } from '../../src/pipeline/footprint.ts';
import { loadModel, type Model } from '../../src/pipeline/model.ts';
import { openRestorer } from '../../src/pipeline/restore.ts';
import { openWindowedDenoiser } from '../../src/pipeline/windowed.ts';
import { tilingFor } from '../../src/pipeline/windows.ts';
import type { Denoised } from '../../src/samplers/sampler.ts';
import { imageAt, stack } from '../../src/tensor/batch.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { writeModel } from '../cli/models.ts';
import { linearSteps } from '../helpers/diffusion.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dot, randomTensor, relativeError } from '../helpers/random.ts';

const folder = temporaryFolder();
const step = linearSteps(10)[5]!;
const image = [3, 13, 20] as const;
const x = randomTensor('x', [2, ...image]);
const none = 3;
const classes = { input: 'y', count: 3, null: none };

/** What depends on class, timestep and pixel, and is not linear. */
function curved(b: GraphBuilder, v: Value, t: Value, y: Value): Value {
  const bent = b.mul(v, b.add(t, b.scale(y, 0.3)));
  return b.op('Tanh', [b.add(bent, b.scale(y, 0.2))]);
}

const withVariance: typeof curved = (b, v, t, y) => {
  const variance = b.op('Sigmoid', [b.mul(v, y)]);
  return b.op('Concat', [curved(b, v, t, y), variance], { axis: 1 });
};

async function modelOf(name: string, network = curved, card: CardOverrides = {}): Promise<Model> {
  const file = writeModel(path.join(folder, `${name}.onnx`), network, { labelled: true });
  return loadModel(file, { classes, ...card });
}

interface Given {
  readonly classifierFree?: ClassifierFree;
  readonly labels?: readonly (number | undefined)[];
  readonly gradient?: boolean;
  readonly x?: Tensor;
  readonly windowed?: boolean;
}

async function denoise(model: Model, given: Given): Promise<Denoised> {
  const { labels = [0, 2], gradient = false, x: at = x, windowed, classifierFree } = given;
  const operator = operators.gaussianBlur({ size: 5, std: 1 });
  const losses = [measurementLoss(operator, randomTensor('y', operator.measured(image)))];
  const subjects: Subject[] = labels.map((label) => ({
    losses,
    condition: classCondition(model, label),
  }));
  const input = {
    model,
    like: subjects[0]!,
    batch: labels.length,
    canvas: { height: 13, width: 20 },
    placement: { image, top: 0, left: 0 },
    session: { threads: 1 },
    classifierFree,
  };
  const tiling = tilingFor(model, { size: 8, overlap: 3 });
  const denoiser = windowed ? openWindowedDenoiser({ ...input, tiling }) : openDenoiser(input);
  try {
    return await denoiser.bind(subjects)(at, step, { gradient });
  } finally {
    await denoiser.release();
  }
}

/** (1+w) a − w b. */
function extrapolated(a: Tensor, b: Tensor, w: number): Tensor {
  return tensor(
    a.shape,
    a.data.map((v, i) => (1 + w) * v - w * b.data[i]!),
  );
}

const scale = 1.7;
const predictions: [string, typeof curved, CardOverrides][] = [
  ['ε', curved, {}],
  ['v', curved, { prediction: 'v' }],
  ['x0', curved, { prediction: 'x0' }],
  ['ε on [0,1]', curved, { range: '[0,1]' }],
  ['a learned variance', withVariance, { learnedVariance: true }],
];

describe('ε and x̂₀ go beyond the condition, away from none', () => {
  test.each(predictions)('%s', async (name, network, card) => {
    const model = await modelOf(`free-${name.replace(/\W/g, '')}`, network, {
      ...card,
      clip: false,
    });
    const given = await denoise(model, {});
    const without = await denoise(model, { labels: [undefined, undefined] });
    const guided = await denoise(model, { classifierFree: { scale } });
    expect(relativeError(given.eps, without.eps)).toBeGreaterThan(0.05);
    for (const key of ['eps', 'x0'] as const)
      expect(
        relativeError(guided[key], extrapolated(given[key], without[key], scale)),
      ).toBeLessThan(1e-5);
    expect(guided.variance).toEqual(given.variance);
    expect(Object.keys(guided).sort()).toEqual(Object.keys(given).sort());
  });
});

describe('the gradient goes through both halves', () => {
  test.each(predictions)('%s', async (name, network, card) => {
    const model = await modelOf(`gradient-${name.replace(/\W/g, '')}`, network, {
      ...card,
      clip: false,
    });
    const classifierFree = { scale, rescale: 0.4 };
    const { gradient } = await denoise(model, { classifierFree, gradient: true });
    const direction = randomTensor('direction', x.shape);
    const size = 2 ** -7;
    const lossAt = async (sign: number): Promise<number> => {
      const moved = x.data.map((v, i) => v + sign * size * direction.data[i]!);
      const at = { classifierFree, gradient: true, x: tensor(x.shape, moved) };
      return (await denoise(model, at)).loss!.reduce((sum, v) => sum + v, 0);
    };
    const slope = ((await lossAt(1)) - (await lossAt(-1))) / (2 * size);
    expect(slope / dot(gradient!, direction)).toBeCloseTo(1, 2);
  });
});

test.each(predictions)('windows give what the whole gives: %s', async (name, network, card) => {
  const model = await modelOf(`windows-${name.replace(/\W/g, '')}`, network, card);
  const classifierFree = { scale };
  const whole = await denoise(model, { classifierFree, gradient: true });
  const windowed = await denoise(model, { classifierFree, gradient: true, windowed: true });
  const compared = (['eps', 'x0', 'variance', 'gradient'] as const).filter((key) => whole[key]);
  for (const key of compared) expect(relativeError(windowed[key]!, whole[key]!)).toBeLessThan(2e-5);
});

test('a batch gives what its images give alone, each with its class', async () => {
  const model = await modelOf('batch');
  const classifierFree = { scale, rescale: 0.7 };
  const together = await denoise(model, { classifierFree, gradient: true });
  for (const [i, label] of [0, 2].entries()) {
    const one = { labels: [label], x: stack([imageAt(x, i)]), classifierFree, gradient: true };
    const alone = await denoise(model, one);
    for (const key of ['eps', 'x0', 'gradient'] as const)
      expect(relativeError(stack([imageAt(together[key]!, i)]), alone[key]!)).toBeLessThan(1e-5);
    expect(together.loss![i]! / alone.loss![0]!).toBeCloseTo(1, 5);
  }
});

test('rescaling gives the deviation of the conditional prediction back, as far as it says', async () => {
  const model = await modelOf('rescale');
  const [given, plain, half, full] = [
    await denoise(model, {}),
    ...(await Promise.all(
      [0, 0.5, 1].map((rescale) => denoise(model, { classifierFree: { scale: 6, rescale } })),
    )),
  ] as [Denoised, Denoised, Denoised, Denoised];
  for (const i of [0, 1]) {
    const [c, p, h, f] = [given, plain, half, full].map(({ eps }) => deviation(imageAt(eps, i)));
    expect(f! / c!).toBeCloseTo(1, 4);
    expect(Math.abs(p! / c! - 1)).toBeGreaterThan(0.1);
    expect(h! / ((p! + f!) / 2)).toBeCloseTo(1, 4);
  }
});

function deviation({ data }: Tensor): number {
  const mean = data.reduce((sum, v) => sum + v, 0) / data.length;
  return Math.sqrt(data.reduce((sum, v) => sum + (v - mean) ** 2, 0) / data.length);
}

test('w = 0 is the conditional prediction, and −1 the unconditional one', async () => {
  const model = await modelOf('ends');
  const at = (w: number) => denoise(model, { classifierFree: { scale: w }, gradient: true });
  const given = await denoise(model, { gradient: true });
  expect(await at(0)).toEqual(given);
  const without = await denoise(model, { labels: [undefined, undefined], gradient: true });
  expect(relativeError((await at(-1)).gradient!, without.gradient!)).toBeLessThan(1e-5);
});

test('outside its interval a step is the conditional one', async () => {
  const model = await modelOf('interval');
  const sigma = Math.sqrt((1 - step.alphaBar) / step.alphaBar);
  const given = await denoise(model, {});
  const at = (low: number, high: number) =>
    denoise(model, { classifierFree: { scale, interval: [low, high] } });
  expect(await at(sigma, 2 * sigma)).toEqual(given);
  expect((await at(sigma / 2, sigma)).eps).not.toEqual(given.eps);
});

test('memory is estimated with both halves', async () => {
  const model = await modelOf('memory');
  const job = { name: 'a', size: { height: 16, width: 16 }, condition: classCondition(model, 1) };
  const plain = await footprint(job, { model });
  const free = await footprint(job, { model, classifierFree: { scale } });
  expect(free.perImage / plain.perImage).toBeGreaterThan(1.2);
  const options = {
    model,
    classifierFree: { scale, interval: [1, 2] },
    method: { name: 'none' },
    sampler: { name: 'ddim', eta: 0 },
    steps: 2,
    seed: 0,
    lanes: 1,
  } as const;
  expect(await fittingBatch(job, 2 ** 34, options)).toBe(8);
  expect(await fittingBatch(job, 4 * free.perImage + 2 * free.fixed, options)).toBe(2);
  expect(await fittingBatch(job, 0, options)).toBe(1);
});

test('a network that is exported for one image runs twice', async () => {
  const sampled = async (open: boolean): Promise<Tensor> => {
    const file = path.join(folder, `${open ? 'open' : 'one'}.onnx`);
    const model = await loadModel(writeModel(file, curved, { labelled: true, open }), { classes });
    const restorer = openRestorer({
      model,
      classifierFree: { scale, interval: [0.1, 2] },
      method: { name: 'dsg', rate: 0.2, interval: 1 },
      sampler: { name: 'ddim', eta: 1 },
      steps: 4,
      seed: 0,
    });
    const operator = operators.gaussianBlur({ size: 5, std: 1 });
    const measurement = randomTensor('measured', operator.measured([3, 16, 16]));
    const condition = classCondition(model, 1);
    const run = restorer.restore([{ name: 'a', operator, measurement, sigma: 0.05, condition }]);
    let next = await run.next();
    while (!next.done) next = await run.next();
    await restorer.release();
    return next.value[0] as Tensor;
  };
  expect(relativeError(await sampled(false), await sampled(true))).toBeLessThan(1e-5);
});

describe('bad input', () => {
  const sampling = {
    method: { name: 'none' },
    sampler: { name: 'ddim', eta: 0 },
    steps: 2,
    seed: 0,
  } as const;

  test.each<[string, CardOverrides, ClassifierFree, RegExp]>([
    ['no null class', { classes: { input: 'y', count: 3 } }, { scale: 1 }, /without condition/],
    ['a scale below −1', { classes }, { scale: -2 }, /scale -2/],
    ['a rescale of 2', { classes }, { scale: 1, rescale: 2 }, /rescale 2/],
    ['an interval the wrong way', { classes }, { scale: 1, interval: [3, 1] }, /interval 3,1/],
  ])('%s', async (name, card, classifierFree, message) => {
    const model = await modelOf(`bad-${name.replace(/\W/g, '')}`, curved, card);
    const restorer = openRestorer({ model, classifierFree, ...sampling });
    const job = { name: 'a', size: { height: 8, width: 8 }, condition: classCondition(model, 1) };
    await expect(restorer.restore([job]).next()).rejects.toThrow(message);
    await restorer.release();
  });
});
