/** The graph of a guided step on the embedded network. */
import { describe, expect, it } from 'vitest';
import type { Card } from '../../src/card/card.ts';
import { gradients } from '../../src/autodiff/gradients.ts';
import { seenByLosses } from '../../src/guided/guided.ts';
import { measurementLoss, type FidelityOptions } from '../../src/guided/measured.ts';
import { prediction } from '../../src/guided/prediction.ts';
import { throughClip, type Loss } from '../../src/losses/loss.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { operators } from '../../src/operators/operators.ts';
import { randomMask } from '../../src/operators/inpainting.ts';
import type { Operator } from '../../src/operators/operator.ts';
import { openDenoiser } from '../../src/pipeline/denoiser.ts';
import { defaultModel, loadModel } from '../../src/pipeline/model.ts';
import { betas } from '../../src/schedules/betas.ts';
import { respace, steps as stepsOf } from '../../src/schedules/respace.ts';
import { imageAt, stack } from '../../src/tensor/batch.ts';
import { noiseKey } from '../../src/tensor/noise.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const steps = stepsOf(respace(betas({ name: 'linear' }), 10));
const middle = steps[4]!;

describe('predictions', () => {
  // x_t = √ᾱ x₀ + √(1−ᾱ) ε, and each network told what it was trained for.
  const alphaBar = 0.36;
  const [x0, eps] = [0.5, -1.5];
  const x = Math.sqrt(alphaBar) * x0 + Math.sqrt(1 - alphaBar) * eps;
  const v = Math.sqrt(alphaBar) * eps - Math.sqrt(1 - alphaBar) * x0;
  const outputs: Record<Card['prediction'], number> = { epsilon: eps, v, x0 };

  it.each(Object.entries(outputs))('%s gives the same ε and x̂₀', async (kind, output) => {
    const b = new GraphBuilder();
    const scalar = (name: string) => b.input(name, 'float32', []);
    const level = { signal: scalar('signal'), noise: scalar('noise') };
    const found = prediction(b, scalar('output'), scalar('x'), level, {
      prediction: kind as Card['prediction'],
      clip: false,
      range: '[-1,1]',
    });
    b.output(found.eps, 'eps');
    b.output(found.x0, 'x0');
    const feed = (n: number) => tensor([], Float32Array.of(n));
    const out = await runGraph(b.graph, {
      signal: feed(Math.sqrt(alphaBar)),
      noise: feed(Math.sqrt(1 - alphaBar)),
      output: feed(output),
      x: feed(x),
    });
    expect(out['x0']!.data[0]).toBeCloseTo(x0, 5);
    expect(out['eps']!.data[0]).toBeCloseTo(eps, 5);
  });
});

async function guidedStep(
  operator: Operator[],
  x: Tensor,
  measurement: Tensor,
  fidelity: FidelityOptions[] = [],
  seen: (loss: Loss) => Loss = (loss) => loss,
) {
  const model = await loadModel(defaultModel);
  const [n = 1, c = 3, height = 0, width = 0] = x.shape;
  const first = operator[0]!;
  const [, h, w] = first.restored(measurement.shape.slice(1) as [number, number, number]);
  const subjects = operator.map((o, i) => ({
    losses: [seen(measurementLoss(o, imageAt(measurement, i), fidelity[i]))],
  }));
  const denoiser = openDenoiser({
    model,
    like: subjects[0]!,
    batch: n,
    canvas: { height, width },
    placement: { image: [c, h, w], top: (height - h) / 2, left: (width - w) / 2 },
    session: {},
  });
  const out = await denoiser.bind(subjects)(x, middle, { gradient: true });
  await denoiser.release();
  return out;
}

describe('a batch', () => {
  // Images of different noise share a graph.
  const whitened = [0.02, 0.05, 0.1].map((sigma) => ({ whiten: 0.2, sigma }));
  it.each<[string, (i: number) => Operator, FidelityOptions[]?]>([
    [
      'inpainting, a mask each',
      (i: number) => operators.inpainting({ mask: randomMask(32, 40, noiseKey(i, 'batch')) }),
    ],
    ['super-resolution', () => operators.superResolution({ scale: 4 })],
    ['deblurring', () => operators.gaussianBlur({ size: 21, std: 2 })],
    ['deblurring, whitened', () => operators.gaussianBlur({ size: 21, std: 2 }), whitened],
  ])('gives what its images give alone: %s', async (_, make, fidelity = []) => {
    const list = [0, 1, 2].map(make);
    const shape = list[0]!.measured([3, 32, 40]);
    const x = randomTensor('x', [3, 3, 32, 40]);
    const y = randomTensor('y', [3, ...shape]);
    const together = await guidedStep(list, x, y, fidelity);
    for (const i of [0, 1, 2]) {
      const [xi, yi] = [x, y].map((t) => stack([imageAt(t, i)]));
      const alone = await guidedStep([list[i]!], xi!, yi!, fidelity.slice(i, i + 1));
      expect(together.loss![i]! / alone.loss![0]!).toBeCloseTo(1, 5);
      const [a, b] = [stack([imageAt(together.gradient!, i)]), alone.gradient!];
      expect(relativeError(a, b)).toBeLessThan(1e-5);
    }
  });
});

describe('an image that is clipped everywhere', () => {
  const operator = operators.superResolution({ scale: 4 });
  const x = randomTensor('x', [1, 3, 32, 40]);
  const y = randomTensor('y', [1, 3, 8, 10]);

  it.each<[string, FidelityOptions, ((loss: Loss) => Loss)?]>([
    ['no gradient by the norm, as published', {}],
    ['one by the norm through the clip', {}, throughClip],
    ['one by the likelihood through the clip', { likelihood: true }, throughClip],
  ])('has %s', async (_, fidelity, seen) => {
    const far = tensor(
      x.shape,
      x.data.map((v) => 1000 * Math.sign(v)),
    );
    const { x0, gradient } = await guidedStep([operator], far, y, [fidelity], seen);
    expect(x0.data.every((v) => Math.abs(v) === 1)).toBe(true);
    expect(gradient!.data.some((g) => g !== 0)).toBe(seen !== undefined);
    expect(gradient!.data.every(Number.isFinite)).toBe(true);
  });
});

describe('what losses see of the clip', () => {
  const values = [-3, 0.5, 2];

  it.each([
    ['its own gradient', false, [0, 1, 0]],
    ['none of it, but the values', true, [-2, 1, 2]],
  ])('is %s', async (_, passes, wanted) => {
    const b = new GraphBuilder();
    const open = b.input('open', 'float32', [3]);
    const clipped = b.op('Clip', [open, b.scalar(-1, open), b.scalar(1, open)]);
    const square: Loss = { signature: 'square', parameters: {}, value: (b, x) => b.mul(x, x) };
    const losses = [passes ? throughClip(square) : square];
    const { x0, stop } = seenByLosses(b, { x0: clipped, open }, losses);
    const ones = b.constant([1, 1, 1]);
    const loss = b.mul(x0, x0);
    const found = gradients(b, new Map([[loss.name, ones]]), [open.name], { stop });
    b.output(x0, 'x0');
    b.output(found.get(open.name)!, 'gradient');
    const out = await runGraph(b.graph, { open: tensor([3], Float32Array.from(values)) });
    expect([...out['x0']!.data]).toEqual([-1, 0.5, 1]);
    expect([...out['gradient']!.data]).toEqual(wanted);
  });
});

describe('a canvas larger than the image', () => {
  it('leaves the margin to the prior: loss and gradient see the image only', async () => {
    const operator = operators.inpainting({
      mask: tensor([1, 30, 36], new Float32Array(30 * 36).fill(1)),
    });
    const x = randomTensor('x', [1, 3, 32, 40]);
    const y = randomTensor('y', [1, 3, 30, 36]);
    const out = await guidedStep([operator], x, y);
    let sum = 0;
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < 30; i++)
        for (let j = 0; j < 36; j++)
          sum +=
            (y.data[(c * 30 + i) * 36 + j]! - out.x0.data[(c * 32 + i + 1) * 40 + j + 2]!) ** 2;
    expect(out.loss![0]! / Math.sqrt(sum)).toBeCloseTo(1, 5);
  });
});
