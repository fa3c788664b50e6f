/** Networks that see windows of an image, against the same networks seeing all of it. */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CardOverrides } from '../../src/card/override.ts';
import { measurementLoss } from '../../src/guided/measured.ts';
import type { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { operators } from '../../src/operators/operators.ts';
import { openDenoiser, type Subject } from '../../src/pipeline/denoiser.ts';
import { loadModel, type Model } from '../../src/pipeline/model.ts';
import { openWindowedDenoiser } from '../../src/pipeline/windowed.ts';
import { tilingFor } from '../../src/pipeline/windows.ts';
import type { Denoised } from '../../src/samplers/sampler.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { writeModel } from '../cli/models.ts';
import { linearSteps } from '../helpers/diffusion.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dot, randomTensor, relativeError } from '../helpers/random.ts';

const folder = temporaryFolder();
const step = linearSteps(10)[5]!;
const canvas = { height: 13, width: 20 };
const image = [3, 13, 20] as const;
const shape = [2, ...image];
const x = randomTensor('x', shape);

const curved = (b: GraphBuilder, v: Value, t: Value): Value => b.op('Tanh', [b.mul(v, t)]);
/** A pixel of it depends on its neighbours, and so on the window. */
function mixing(b: GraphBuilder, v: Value, t: Value): Value {
  const kernel = initializerFrom('float32', [3, 3, 3, 3], randomTensor('k', [3, 3, 3, 3]).data);
  const pads = { pads: [1, 1, 1, 1] };
  return curved(b, b.op('Conv', [v, b.initializer('kernel', kernel)], pads), t);
}

/** Two images under a blur that reaches across windows. */
function subjectsOf(): Subject[] {
  const operator = operators.gaussianBlur({ size: 5, std: 1 });
  const y = randomTensor('y', operator.measured(image));
  // Whitened, so that the noise level, which whole images and windows are told, matters.
  return ['a', 'b'].map(() => ({
    losses: [measurementLoss(operator, y, { whiten: 1, sigma: 0.5 })],
  }));
}

async function both(model: Model, gradient: boolean, at = x): Promise<[Denoised, Denoised]> {
  const subjects = subjectsOf();
  const like = subjects[0]!;
  const placement = { image, top: 0, left: 0 };
  const input = { model, like, batch: 2, canvas, placement, session: { threads: 1 } };
  const tiling = tilingFor(model, { size: 8, overlap: 3 });
  const denoisers = [openDenoiser(input), openWindowedDenoiser({ ...input, tiling })];
  const found: Denoised[] = [];
  for (const denoiser of denoisers) {
    found.push(await denoiser.bind(subjects)(at, step, { gradient }));
    await denoiser.release();
  }
  return found as [Denoised, Denoised];
}

describe('a network that treats each pixel by itself gives what it gives of the whole', () => {
  test.each<[string, (b: GraphBuilder, v: Value, t: Value) => Value, CardOverrides]>([
    ['ε', curved, {}],
    ['ε, not clipped', curved, { clip: false }],
    ['v', curved, { prediction: 'v' }],
    ['x0', curved, { prediction: 'x0' }],
    ['ε on [0,1]', curved, { range: '[0,1]' }],
    [
      'a learned variance',
      (b, v, t) => b.op('Concat', [curved(b, v, t), b.op('Sigmoid', [v])], { axis: 1 }),
      { learnedVariance: true },
    ],
  ])('%s', async (name, network, card) => {
    const file = writeModel(path.join(folder, `${name.replace(/\W/g, '')}.onnx`), network);
    const model = await loadModel(file, card);
    for (const gradient of [false, true]) {
      const [whole, windowed] = await both(model, gradient);
      const compared = ['eps', 'x0', 'variance', 'gradient'] as const;
      for (const key of compared.filter((k) => whole[k]))
        expect(relativeError(windowed[key] as Tensor, whole[key] as Tensor)).toBeLessThan(2e-5);
      expect(Object.keys(windowed).sort()).toEqual(Object.keys(whole).sort());
      whole.loss?.forEach((v, i) => expect(windowed.loss?.[i]).toBeCloseTo(v, 3));
    }
  });
});

test('the gradient is that of the blended prediction', async () => {
  const model = await loadModel(writeModel(path.join(folder, 'mixing.onnx'), mixing), {
    clip: false,
  });
  const [whole, { gradient, eps }] = await both(model, true);
  expect(relativeError(eps, whole.eps)).toBeGreaterThan(0.01);
  const direction = randomTensor('direction', shape);
  const size = 2 ** -7;
  const lossAt = async (sign: number): Promise<number> => {
    const data = x.data.map((v, i) => v + sign * size * direction.data[i]!);
    const [, { loss }] = await both(model, true, tensor(shape, data));
    return loss!.reduce((sum, v) => sum + v, 0);
  };
  const slope = (await lossAt(1)) - (await lossAt(-1));
  expect(slope / (2 * size) / dot(gradient as Tensor, direction)).toBeCloseTo(1, 2);
});

test('neighbouring windows meet without a step', async () => {
  const model = await loadModel(writeModel(path.join(folder, 'mixing.onnx'), mixing));
  const flat = tensor(shape, new Float32Array(x.data.length).fill(0.4));
  const [whole, windowed] = await both(model, false, flat);
  const width = 20;
  // A flat image shows nothing but what windows do to it: borders of windows differ, faded in.
  const jump = ({ eps }: Denoised): number => {
    const row = Array.from(eps.data.subarray(6 * width, 7 * width));
    return Math.max(...row.slice(3, -3).map((v, i) => Math.abs(v - row[i + 2]!)));
  };
  expect(jump(whole)).toBeLessThan(1e-6);
  const border = Math.abs(whole.eps.data[0]! - whole.eps.data[6 * width + 10]!);
  expect(jump(windowed)).toBeLessThan(border / 2);
});

describe('windows that do not suit', async () => {
  const open = await loadModel(writeModel(path.join(folder, 'open.onnx'), curved), { multiple: 4 });
  const fixed = await loadModel(
    writeModel(path.join(folder, 'fixed.onnx'), curved, { size: 16, open: false }),
  );
  test.each<[string, Model, object, RegExp]>([
    ['a size that is no multiple', open, { size: 10 }, /no multiple of 4/],
    ['another size than the model', fixed, { size: 8 }, /takes 16×16 only/],
    ['an overlap of all', open, { size: 8, overlap: 8 }, /cannot overlap by 8/],
  ])('%s', (_, model, asked, message) => expect(() => tilingFor(model, asked)).toThrow(message));
  test('the size of a fixed model is known', () =>
    expect(tilingFor(fixed, {})).toEqual({ window: { height: 16, width: 16 }, overlap: 4 }));
});
