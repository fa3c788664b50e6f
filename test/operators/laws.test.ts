/** What every linear degradation obeys. */
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { operatorGraph, operatorInputs, ports } from '../../src/guided/guided.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { boxMask, randomMask } from '../../src/operators/inpainting.ts';
import type { ImageShape, Operator } from '../../src/operators/operator.ts';
import { operators } from '../../src/operators/operators.ts';
import { noiseKey } from '../../src/tensor/noise.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { dot, randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

interface Case {
  readonly operator: Operator;
  readonly image: ImageShape;
  /** Weights sum to 1, so that a constant image stays what it is. */
  readonly averages: boolean;
  /** What the spectrum's powers may be off by, of the largest; only kernels have no exact ones. */
  readonly spectrumError?: number;
}

const key = noiseKey(1, 'laws');
const skewed = tensor(
  [3, 5],
  Float32Array.from({ length: 15 }, (_, i) => (i + 1) / 120),
);

/** An operator that is added to the list and not here is a type error. */
const cases: Record<keyof typeof operators, Record<string, Case>> = {
  inpainting: {
    'random mask': {
      operator: operators.inpainting({ mask: randomMask(12, 18, key) }),
      image: [3, 12, 18],
      averages: false,
    },
    'box mask': {
      operator: operators.inpainting({ mask: boxMask(32, 32, key) }),
      image: [3, 32, 32],
      averages: false,
    },
  },
  superResolution: {
    '×4': { operator: operators.superResolution({ scale: 4 }), image: [3, 16, 24], averages: true },
    '×2, grey': {
      operator: operators.superResolution({ scale: 2 }),
      image: [1, 10, 6],
      averages: true,
    },
    '×3 of one output pixel': {
      operator: operators.superResolution({ scale: 3 }),
      image: [3, 3, 3],
      averages: true,
    },
  },
  gaussianBlur: {
    'window 61, σ 3': {
      operator: operators.gaussianBlur({ size: 61, std: 3 }),
      image: [3, 20, 28],
      averages: true,
    },
    'window cuts the bell': {
      operator: operators.gaussianBlur({ size: 5, std: 3 }),
      image: [3, 7, 9],
      averages: true,
    },
  },
  kernelBlur: {
    'oblong and skewed': {
      operator: operators.kernelBlur({ kernel: skewed }),
      image: [3, 9, 11],
      averages: true,
      spectrumError: 0.15,
    },
  },
};

const flat = Object.values(cases).flatMap((byName) => Object.entries(byName));
const all = flat.map(([name, c]) => ({ name: `${c.operator.name}, ${name}`, ...c }));

function feedsOf(operator: Operator, x: Tensor): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = { x };
  for (const [name, p] of Object.entries(operator.parameters))
    feeds[ports.parameter(name)] = tensor([1, ...p.shape], p.data);
  return feeds;
}

describe.each(all)('$name', ({ operator, image, averages, spectrumError = 1e-5 }) => {
  const graph = operatorGraph(operator, image);
  const x = randomTensor('x', [1, ...image]);
  const v = randomTensor('v', [1, ...operator.measured(image)]);

  it('⟨A x, v⟩ = ⟨x, Aᵀ v⟩', async () => {
    const out = await runGraph(differentiate(graph, { wrt: 'x' }), {
      ...feedsOf(operator, x),
      'y.cotangent': v,
    });
    const [left, right] = [dot(out['y']!, v), dot(x, out['x.gradient']!)];
    expect(Math.abs(left - right)).toBeLessThan(1e-4 * Math.sqrt(dot(v, v)));
  });

  it('measures what it says it measures, and restores that to the image shape', async () => {
    const { y } = await runGraph(graph, feedsOf(operator, x));
    expect(y!.shape).toEqual([1, ...operator.measured(image)]);
    expect(operator.restored(operator.measured(image))).toEqual([...image]);
  });

  it('is linear', async () => {
    const z = randomTensor('z', x.shape);
    const sum = tensor(
      x.shape,
      x.data.map((a, i) => 2 * a - z.data[i]!),
    );
    const [ax, az, as] = await Promise.all(
      [x, z, sum].map(async (t) => (await runGraph(graph, feedsOf(operator, t)))['y']!),
    );
    const expected = tensor(
      ax!.shape,
      ax!.data.map((a, i) => 2 * a - az!.data[i]!),
    );
    expect(relativeError(as!, expected)).toBeLessThan(1e-5);
  });

  it('has a spectrum: coordinates in an orthonormal basis u, and ‖Aᵀ u‖² as their powers', async () => {
    const b = new GraphBuilder();
    const residual = b.input('x', 'float32', v.shape);
    const { coordinates, power } = operator.spectrum(b, residual, operatorInputs(b, operator));
    b.output(b.op('Identity', [coordinates]), 'y');
    const basis = differentiate(b.graph, { wrt: 'x' });
    b.output(b.op('Expand', [power, b.ints(v.shape)]), 'power');
    const parameters = feedsOf(operator, v);
    const found = await runGraph(b.graph, parameters);
    expect(dot(found['y']!, found['y']!) / dot(v, v)).toBeCloseTo(1, 4);

    const powers = found['power']!.data;
    const adjoint = differentiate(graph, { wrt: 'x' });
    for (const k of [0, 1, 7, 40].filter((i) => i < v.data.length)) {
      const one = tensor(v.shape, new Float32Array(v.data.length));
      one.data[k] = 1;
      const u = (await runGraph(basis, { ...parameters, 'y.cotangent': one }))['x.gradient']!;
      const fed = { ...feedsOf(operator, x), 'y.cotangent': u };
      const back = (await runGraph(adjoint, fed))['x.gradient']!;
      expect(Math.abs(dot(back, back) - powers[k]!) / Math.max(...powers)).toBeLessThan(
        spectrumError,
      );
    }
  });

  it.runIf(averages)('leaves a constant image alone', async () => {
    const ones = tensor(x.shape, new Float32Array(x.data.length).fill(0.7));
    const { y } = await runGraph(graph, feedsOf(operator, ones));
    for (const value of y!.data) expect(value).toBeCloseTo(0.7, 5);
  });
});

describe('a signature', () => {
  const image: ImageShape = [3, 24, 36];
  const blur = (shape: [number, number], taps: Float32Array): Operator =>
    operators.kernelBlur({ kernel: tensor(shape, taps) });
  /** Of each kind those that differ in one thing. */
  const alike: Record<keyof typeof operators, readonly Operator[]> = {
    inpainting: [
      operators.inpainting({ mask: randomMask(24, 36, key) }),
      operators.inpainting({ mask: randomMask(24, 36, noiseKey(2, 'laws')) }),
    ],
    superResolution: [2, 3, 4].map((scale) => operators.superResolution({ scale })),
    gaussianBlur: [
      operators.gaussianBlur({ size: 61, std: 3 }),
      operators.gaussianBlur({ size: 61, std: 2 }),
      operators.gaussianBlur({ size: 5, std: 3 }),
    ],
    kernelBlur: [
      blur([3, 5], skewed.data),
      blur([3, 5], skewed.data.toReversed()),
      blur([5, 3], skewed.data),
    ],
  };

  // Within a batch, from batch to batch and in the cache, it is all that a graph is known by.
  it('stands for one graph, which with its parameters computes what each computes alone', async () => {
    const x = randomTensor('x', [1, ...image]);
    const known = new Map<string, Graph>();
    for (const operator of Object.values(alike).flat()) {
      const own = operatorGraph(operator, image);
      const shared = known.get(operator.signature) ?? own;
      known.set(operator.signature, shared);
      const feeds = feedsOf(operator, x);
      const [found, expected] = [await runGraph(shared, feeds), await runGraph(own, feeds)];
      expect([operator.signature, found]).toEqual([operator.signature, expected]);
    }
    // What differs in parameters only does share one.
    expect(known.size).toBe(10);
  });
});
