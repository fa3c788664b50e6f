/** Classifier guidance by networks, against finite differences and its equation by hand. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CardOverrides } from '../../src/card/override.ts';
import { measurementLoss } from '../../src/guided/measured.ts';
import type { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { operators } from '../../src/operators/operators.ts';
import { openClassifiedDenoiser } from '../../src/pipeline/classified.ts';
import { loadClassifier, type ClassifierGuidance } from '../../src/pipeline/classifier.ts';
import { openDenoiser, type DenoiserInput } from '../../src/pipeline/denoiser.ts';
import { footprint } from '../../src/pipeline/footprint.ts';
import { loadModel, type Model } from '../../src/pipeline/model.ts';
import { openRestorer } from '../../src/pipeline/restore.ts';
import { openWindowedDenoiser } from '../../src/pipeline/windowed.ts';
import { tilingFor } from '../../src/pipeline/windows.ts';
import type { Denoised } from '../../src/samplers/sampler.ts';
import { imageAt, stack } from '../../src/tensor/batch.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { writeModel } from '../cli/models.ts';
import { writeClassifier } from '../helpers/classifiers.ts';
import { linearSteps } from '../helpers/diffusion.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dot, randomTensor, relativeError } from '../helpers/random.ts';

const folder = temporaryFolder();
const at = (name: string): string => path.join(folder, name);
const step = linearSteps(10)[4]!;
const image = [3, 9, 12] as const;
const x = randomTensor('x', [2, ...image]);
const noise = Math.sqrt(1 - step.alphaBar);

const curved = (b: GraphBuilder, v: Value, t: Value): Value => b.op('Tanh', [b.mul(v, t)]);

async function modelOf(name: string, card: CardOverrides = {}): Promise<Model> {
  return loadModel(writeModel(at(`${name}.onnx`), curved), { clip: false, ...card });
}

const noisy = await loadClassifier(writeClassifier(at('noisy.onnx'), { image, noisy: true }));
const clean = await loadClassifier(writeClassifier(at('clean.onnx'), { image }));
const kinds = [
  ['p(c|x_t)', noisy],
  ['p(c|x̂₀)', clean],
] as const;

interface Given {
  readonly classifier?: Partial<ClassifierGuidance> & Pick<ClassifierGuidance, 'classifier'>;
  readonly gradient?: boolean;
  readonly x?: Tensor;
  readonly windowed?: boolean;
}

async function denoise(model: Model, given: Given): Promise<Denoised> {
  const { classifier, gradient = false, x: seen = x, windowed } = given;
  const operator = operators.gaussianBlur({ size: 5, std: 1 });
  const losses = [measurementLoss(operator, randomTensor('y', operator.measured(image)))];
  const [batch = 1] = seen.shape;
  const subjects = Array.from({ length: batch }, () => ({ losses }));
  const canvas = { height: 9, width: 12 };
  const placement = { image, top: 0, left: 0 };
  const session = { threads: 1 };
  const input = { model, like: subjects[0]!, batch, canvas, placement, session };
  const tiling = tilingFor(model, { size: 8, overlap: 3 });
  const open = (i: DenoiserInput) =>
    windowed ? openWindowedDenoiser({ ...i, tiling }) : openDenoiser(i);
  const guidance = classifier && { class: 1, scale: 1, ...classifier };
  const denoiser = guidance ? openClassifiedDenoiser(input, open, guidance) : open(input);
  try {
    return await denoiser.bind(subjects)(seen, step, { gradient });
  } finally {
    await denoiser.release();
  }
}

describe.each(kinds)('%s', (_, classifier) => {
  test('ε is moved by √(1−ᾱ) s times the gradient of −log p at x_t, and x̂₀ follows', async () => {
    const model = await modelOf('differences');
    const plain = await denoise(model, {});
    const guided = await denoise(model, { classifier: { classifier, scale: 2.5 } });
    const direction = randomTensor('direction', x.shape);
    const size = 2 ** -8;
    const lossAt = async (sign: number): Promise<number> => {
      const moved = x.data.map((v, i) => v + sign * size * direction.data[i]!);
      const found = await denoise(model, { classifier: { classifier }, x: tensor(x.shape, moved) });
      return found.loss!.reduce((sum, v) => sum + v, 0);
    };
    const slope = ((await lossAt(1)) - (await lossAt(-1))) / (2 * size);
    const shift = tensor(
      x.shape,
      guided.eps.data.map((v, i) => v - plain.eps.data[i]!),
    );
    expect(dot(shift, direction) / (noise * 2.5 * slope)).toBeCloseTo(1, 2);
    const x0 = x.data.map((v, i) => (v - noise * guided.eps.data[i]!) / Math.sqrt(step.alphaBar));
    expect(relativeError(guided.x0, tensor(x.shape, x0))).toBeLessThan(1e-5);
  });

  test('x̂₀ is clipped where the card says so', async () => {
    const model = await modelOf('clipped', { clip: true });
    const { x0 } = await denoise(model, { classifier: { classifier, scale: 20 } });
    expect(Math.max(...x0.data.map(Math.abs))).toBe(1);
  });

  test('loss and gradient of a guided step are those of the measurement', async () => {
    const model = await modelOf('measured');
    const plain = await denoise(model, { gradient: true });
    const guided = await denoise(model, { gradient: true, classifier: { classifier } });
    const unguided = await denoise(model, { classifier: { classifier } });
    expect(guided.gradient).toEqual(plain.gradient);
    expect(guided.loss).toEqual(plain.loss);
    expect(guided.predicted).toEqual(plain.x0);
    expect(relativeError(guided.eps, unguided.eps)).toBeLessThan(1e-6);
    expect(relativeError(guided.eps, plain.eps)).toBeGreaterThan(0.01);
  });

  test('windows of the network, and the whole image for the classifier', async () => {
    const model = await modelOf('windows');
    const given = { classifier: { classifier, scale: 3 }, gradient: true };
    const whole = await denoise(model, given);
    const windowed = await denoise(model, { ...given, windowed: true });
    for (const key of ['eps', 'x0', 'gradient'] as const)
      expect(relativeError(windowed[key]!, whole[key]!)).toBeLessThan(2e-5);
  });

  test('a batch gives what its images give alone', async () => {
    const model = await modelOf('batch');
    const together = await denoise(model, { classifier: { classifier } });
    for (const i of [0, 1]) {
      const alone = await denoise(model, {
        classifier: { classifier },
        x: stack([imageAt(x, i)]),
      });
      expect(relativeError(stack([imageAt(together.eps, i)]), alone.eps)).toBeLessThan(1e-5);
      expect(together.loss![i]! / alone.loss![0]!).toBeCloseTo(1, 5);
    }
  });

  test('may be of a newer operator set than the network', async () => {
    const model = await modelOf('opsets');
    const given = { image, noisy: classifier === noisy, opset: 20 };
    const newer = await loadClassifier(writeClassifier(at('newer.onnx'), given));
    const [one, other] = [
      await denoise(model, { classifier: { classifier } }),
      await denoise(model, { classifier: { classifier: newer } }),
    ];
    expect(other.eps).toEqual(one.eps);
  });

  test('memory is estimated with it', async () => {
    const model = await modelOf('memory');
    const job = { name: 'a', size: { height: 9, width: 12 } };
    const plain = await footprint(job, { model });
    const guided = await footprint(job, { model, classifier: { classifier, class: 0, scale: 1 } });
    expect(guided.perImage).toBeGreaterThanOrEqual(plain.perImage);
    expect(guided.fixed).toBeGreaterThan(plain.fixed);
  });
});

test('range, mean and std of its card come before it', async () => {
  const model = await modelOf('range');
  const file = writeClassifier(at('scaled.onnx'), { image, noisy: true });
  const card = { range: '[0,1]', mean: [0.1, 0.2, 0.3], std: [2, 0.5, 4] };
  writeFileSync(at('scaled.features.json'), JSON.stringify(card));
  // (0.5 v + 0.5 − mean) / std is v itself for these numbers.
  const same = { range: '[0,1]', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
  const eps = async (c: Awaited<ReturnType<typeof loadClassifier>>) =>
    (await denoise(model, { classifier: { classifier: c } })).eps;
  const plain = await eps(noisy);
  expect(relativeError(await eps(await loadClassifier(file, same)), plain)).toBeLessThan(1e-5);
  expect(relativeError(await eps(await loadClassifier(file)), plain)).toBeGreaterThan(1e-3);
});

describe('bad input', () => {
  const sampling = {
    method: { name: 'none' },
    sampler: { name: 'ddim', eta: 0 },
    steps: 2,
    seed: 0,
  } as const;
  const small = [3, 9, 12] as const;
  const pooled = (b: GraphBuilder, v: Value): Value => b.reduce('Mean', v, [2, 3], false);

  test.each<[string, Parameters<typeof writeClassifier>[1], number, RegExp]>([
    ['a class that it does not have', { image: small }, 3, /class 3 is not one of its 3/],
    ['another size', { image: [3, 8, 8] }, 0, /takes \[batch,3,8,8\], the images are \[1,3,9,12\]/],
    ['another size of x_t', { image: [3, 8, 8], noisy: true }, 0, /the images are \[1,3,9,12\]/],
    [
      'an output for each pixel',
      { image: small, head: (b, v) => b.op('Relu', [v]) },
      0,
      /'logits' is \[1,3,9,12\], expected the logits/,
    ],
    [
      'no gradient',
      { image: small, head: (b, v) => pooled(b, b.op('Round', [v])) },
      0,
      /^nogr.*'logits' does not depend on 'image' through any differentiable path/,
    ],
    [
      'NaN',
      { image: small, noisy: true, head: (b, v) => pooled(b, b.op('Sqrt', [v])) },
      0,
      /classifier gradient is NaN at step 1/,
    ],
  ])('%s', async (name, shape, label, message) => {
    const model = await modelOf('bad');
    const file = writeClassifier(at(`${name.replace(/\W/g, '')}.onnx`), shape);
    const classifier = { classifier: await loadClassifier(file), class: label, scale: 1 };
    const restorer = openRestorer({ model, classifier, ...sampling });
    const job = { name: 'a', size: { height: 9, width: 12 } };
    await expect(restorer.restore([job]).next()).rejects.toThrow(message);
    await restorer.release();
  });

  test.each<[string, object, RegExp]>([
    ['an output that is not there', { output: 'nope' }, /no output 'nope'; there are: logits/],
    ['an input that is not there', { inputs: { x: 'nope' } }, /it takes image \[batch,3,9,12\]/],
    ['a timestep that is not there', { inputs: { timestep: 'nope' } }, /no input 'nope'/],
    ['an unknown field', { colour: 1 }, /colour/],
  ])('a card with %s', async (_, card, message) => {
    await expect(loadClassifier(clean.file, card as Record<string, unknown>)).rejects.toThrow(
      message,
    );
  });

  test('a network that takes no image, or more than one', async () => {
    const model = await modelOf('no-classifier');
    await expect(loadClassifier(model.file, { inputs: { x: 't' } })).rejects.toThrow(
      /no classifier of images: it takes x .*, t/,
    );
  });
});
