/** Float16 graphs against their float32 ones, and the scaling that makes their gradients hold. */
import { Float16Array } from '@petamoriken/float16';
import { describe, expect, test } from 'vitest';
import { gpuForms } from '../../src/autodiff/gradients.ts';
import type { CardOverrides } from '../../src/card/override.ts';
import { guidedGraph, ports } from '../../src/guided/guided.ts';
import { windowGradientGraph, windowPorts } from '../../src/guided/windowed.ts';
import { measurementLoss } from '../../src/guided/measured.ts';
import { weighted } from '../../src/losses/loss.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { narrow } from '../../src/onnx/narrow.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { writeGraph } from '../../src/onnx/write.ts';
import { gaussianBlur } from '../../src/operators/blur.ts';
import { levelFeed, parametersOf } from '../../src/pipeline/feeds.ts';
import { graphFor, loadModel } from '../../src/pipeline/model.ts';
import { isApart } from '../../src/pipeline/prepared.ts';
import { probeNetwork } from '../../src/pipeline/probe.ts';
import { simplify } from '../../src/simplify/simplify.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const folder = temporaryFolder();
const size = 16;
const image = [3, size, size] as const;
let count = 0;

interface Setting {
  readonly card?: CardOverrides;
  /** Of the loss. */
  readonly weight?: number;
  readonly alphaBar?: number;
  readonly scaled?: boolean;
  readonly half?: boolean;
}

async function network(card: CardOverrides = {}) {
  const file = `${folder}/${++count}.onnx`;
  await writeGraph(probeNetwork({ size }), file);
  const model = await loadModel(file, card);
  return { model, graph: await graphFor(model, 1, { height: size, width: size }) };
}

const asHalf = (graph: Graph): Graph => simplify(narrow(graph, isApart));

async function guided(setting: Setting): Promise<Record<string, Tensor>> {
  const { card, weight = 1, alphaBar = 0.5, scaled = false, half = false } = setting;
  const { model, graph: plain } = await network(card);
  const operator = gaussianBlur({ size: 5, std: 1 });
  const losses = [weighted(measurementLoss(operator, randomTensor('y', image)), weight)];
  const aim = { losses, placement: { image, top: 0, left: 0 } };
  const graph = guidedGraph(plain, model.card, aim, { forms: gpuForms, scaled });
  return runGraph(half ? asHalf(graph) : graph, {
    x: randomTensor('x', [1, ...image]),
    t: { shape: [1], data: Float32Array.of(500) },
    ...levelFeed({ alphaBar }),
    ...parametersOf([losses]),
  });
}

const gradientOf = async (setting: Setting): Promise<Tensor> =>
  (await guided(setting))[ports.gradient] as Tensor;

describe('a scaled gradient', () => {
  test.each<[string, CardOverrides]>([
    ['ε', {}],
    ['v', { prediction: 'v' }],
    ['x₀, which knows x through the network only', { prediction: 'x0' }],
    ['ε of images in [0,1]', { range: '[0,1]' }],
  ])('is the gradient: %s', async (_, card) => {
    const [plain, scaled] = [await gradientOf({ card }), await gradientOf({ card, scaled: true })];
    expect(relativeError(scaled, plain)).toBeLessThan(1e-5);
  });

  test('is zero where the gradient is, and no NaN', async () => {
    const { data } = await gradientOf({ weight: 0, scaled: true });
    expect(data.every((v) => v === 0)).toBe(true);
  });
});

describe('recomputed', () => {
  // From 2^14 elements on.
  const large = [3, 96, 96] as const;
  const step = async (recompute: 'nothing' | 'cheap' | 'most', scaled: boolean) => {
    const file = `${folder}/${++count}.onnx`;
    await writeGraph(probeNetwork({ size: 96 }), file);
    const model = await loadModel(file);
    const plain = await graphFor(model, 1, { height: 96, width: 96 });
    const losses = [measurementLoss(gaussianBlur({ size: 5, std: 1 }), randomTensor('y', large))];
    const aim = { losses, placement: { image: large, top: 0, left: 0 } };
    const forms = { ...gpuForms, recompute };
    const graph = guidedGraph(plain, model.card, aim, { forms, scaled });
    const found = await runGraph(graph, {
      x: randomTensor('x', [1, ...large]),
      t: { shape: [1], data: Float32Array.of(500) },
      ...levelFeed({ alphaBar: 0.5 }),
      ...parametersOf([losses]),
    });
    const again = graph.nodes.filter((n) => n.opType === 'Conv' && n.name.includes('/again'));
    return { gradient: found[ports.gradient] as Tensor, again: again.length };
  };

  test.each(['cheap', 'most'] as const)('%s: as in one part, and no more often', async (how) => {
    const [kept, whole] = [await step('nothing', false), await step(how, false)];
    const scaled = await step(how, true);
    expect(relativeError(scaled.gradient, kept.gradient)).toBeLessThan(1e-5);
    expect(scaled.again).toBe(whole.again);
    expect(whole.again > 0).toBe(how === 'most');
  });
});

describe('in float16', () => {
  test('a network that takes and gives float16 is', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float16', [1, 3, 8, 8]);
    b.input('t', 'float32', [1]);
    const data = Float16Array.from(randomTensor('w', [3, 3, 3, 3]).data);
    const w = b.initializer('w', initializerFrom('float16', [3, 3, 3, 3], data));
    b.output(b.op('Tanh', [b.op('Conv', [x, w], { pads: [1, 1, 1, 1] })]), 'eps');
    const file = `${folder}/half-${++count}.onnx`;
    await writeGraph(b.graph, file);
    const wide = await graphFor(await loadModel(file), 1, { height: 8, width: 8 });
    const feeds = { x: randomTensor('x', [1, 3, 8, 8]), t: tensor([1], Float32Array.of(0)) };
    const [exact, half] = [await runGraph(wide, feeds), await runGraph(asHalf(wide), feeds)];
    expect(relativeError(half['eps'] as Tensor, exact['eps'] as Tensor)).toBeLessThan(3e-3);
  });

  test('convolutions are, and statistics are not', async () => {
    const { model, graph: plain } = await network();
    const losses = [measurementLoss(gaussianBlur({ size: 5, std: 1 }), randomTensor('y', image))];
    const aim = { losses, placement: { image, top: 0, left: 0 } };
    const graph = asHalf(guidedGraph(plain, model.card, aim, { forms: gpuForms, scaled: true }));
    const types = (operator: string): Set<string | undefined> =>
      new Set(
        graph.nodes
          .filter((n) => n.opType === operator && !isApart(n.name))
          .map((n) => graph.values.get(n.output[0] ?? '')?.dtype),
      );
    expect(types('Conv')).toEqual(new Set(['float16']));
    expect(types('ConvTranspose')).toEqual(new Set(['float16']));
    expect(types('LayerNormalization')).toEqual(new Set(['float32']));
    expect(types('ReduceMean')).toEqual(new Set(['float32']));
    expect(graph.outputs.map((o) => o.dtype)).toEqual(graph.outputs.map(() => 'float32'));
    expect(graph.inputs.map((i) => i.dtype)).toEqual(graph.inputs.map(() => 'float32'));
  });

  test.each([0.0001, 0.01, 0.5, 0.99, 0.9999])('a guided step agrees at ᾱ %d', async (alphaBar) => {
    // Which pixels the clip lets through changes with rounding, and the gradient with it.
    const card = { clip: false };
    const exact = await guided({ card, alphaBar });
    const half = await guided({ card, alphaBar, scaled: true, half: true });
    const error = (name: string): number =>
      relativeError(half[name] as Tensor, exact[name] as Tensor);
    expect(error(ports.eps)).toBeLessThan(3e-3);
    expect(error(ports.gradient)).toBeLessThan(1e-2);
  });

  test.each([1e-7, 1e7])(
    'gradients neither vanish nor overflow: a loss times %d',
    async (weight) => {
      const exact = await gradientOf({ weight });
      const scaled = await gradientOf({ weight, scaled: true, half: true });
      expect(relativeError(scaled, exact)).toBeLessThan(1e-2);
      const { data } = await gradientOf({ weight, half: true });
      const lost = data.every((v) => Number.isFinite(v))
        ? relativeError({ shape: exact.shape, data }, exact)
        : Infinity;
      expect(lost).toBeGreaterThan(0.1);
    },
  );

  test('a window’s gradient too', async () => {
    const { model, graph: plain } = await network();
    const run = (scaled: boolean): Promise<Record<string, Tensor>> => {
      const graph = windowGradientGraph(plain, model.card, { forms: gpuForms, scaled });
      const atEps = randomTensor('g', [1, ...image]);
      return runGraph(scaled ? asHalf(graph) : graph, {
        x: randomTensor('x', [1, ...image]),
        t: { shape: [1], data: Float32Array.of(500) },
        ...levelFeed({ alphaBar: 0.5 }),
        [windowPorts.epsGradient]: { ...atEps, data: atEps.data.map((v) => 1e-7 * v) },
      });
    };
    const [exact, half] = [await run(false), await run(true)];
    expect(
      relativeError(half[ports.gradient] as Tensor, exact[ports.gradient] as Tensor),
    ).toBeLessThan(1e-2);
  });
});
