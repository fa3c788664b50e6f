/** The forms that save passes and memory compute the same gradients. */
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { defaultForms } from '../../src/autodiff/gradients.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Forms } from '../../src/autodiff/rule.ts';
import type { Graph, Value } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { peakBytes } from '../../src/onnx/peak.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

/** GroupNorm, its affine map, a modulation, SiLU and a convolution, as UNets repeat them. */
function block(repeated = 1): Graph {
  const b = new GraphBuilder();
  let x = b.input('x', 'float32', [1, 8, 64, 64]);
  for (let i = 0; i < repeated; i++) x = layer(b, x);
  b.output(x, 'y');
  return b.graph;
}

function layer(b: GraphBuilder, x: Value): Value {
  const constant = (name: string, shape: number[]) =>
    b.graph.values.get(name) ??
    b.initializer(name, initializerFrom('float32', shape, randomTensor(name, shape).data));
  const groups = b.reshape(x, [1, 2, 4 * 64 * 64]);
  const [one, zero] = [b.constant([1, 1]), b.constant([0, 0])];
  const normal = b.op('InstanceNormalization', [groups, one, zero], { epsilon: 1e-5 });
  const rows = b.reshape(normal, x.shape);
  const z0 = b.add(b.mul(rows, constant('gain', [8, 1, 1])), constant('bias', [8, 1, 1]));
  const z = b.add(b.mul(z0, constant('scale', [1, 8, 1, 1])), constant('shift', [1, 8, 1, 1]));
  const y = b.mul(z, b.op('Sigmoid', [z]));
  const kernel = constant('kernel', [8, 8, 3, 3]);
  return b.op('Conv', [y, kernel], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
}

const count = (graph: Graph, type: string) => graph.nodes.filter((n) => n.opType === type).length;

/** Elements that forward nodes make and nodes of the backward pass read. */
function kept(graph: Graph): number {
  const isBackward = (name: string) => name.includes('/vjp') || name.endsWith('/again');
  const forward = new Set(
    graph.nodes.filter((n) => !isBackward(n.name)).flatMap((n) => n.output.filter(Boolean)),
  );
  const read = new Set(
    graph.nodes
      .filter((n) => isBackward(n.name))
      .flatMap((n) => n.input.filter((i) => forward.has(i))),
  );
  return [...read].reduce((n, name) => n + sizeOf(graph.values.get(name)?.shape ?? []), 0);
}

describe('a block of a UNet', () => {
  const inForm = (recompute: Forms['recompute']) =>
    differentiate(block(), { forms: { ...defaultForms, recompute } });
  const feeds = {
    x: randomTensor('x', [1, 8, 64, 64]),
    'y.cotangent': randomTensor('cotangent', [1, 8, 64, 64]),
  };

  it('has the same gradient in every form', async () => {
    const reference = differentiate(block(), {
      forms: {
        convolution: 'transposed',
        normalization: 'instance',
        recompute: 'nothing',
        normalizedSilu: 'whole',
        attention: 'kept',
      },
    });
    const expected = await runGraph(reference, feeds);
    for (const graph of [inForm('cheap'), inForm('nothing'), inForm('most')]) {
      const out = await runGraph(graph, feeds);
      expect(relativeError(out['y']!, expected['y']!)).toBeLessThan(1e-5);
      expect(relativeError(out['x.gradient']!, expected['x.gradient']!)).toBeLessThan(1e-5);
    }
  });

  it('keeps one large value a layer where it recomputes, and three where it does not', () => {
    const size = 8 * 64 * 64;
    expect(Math.round(kept(inForm('cheap')) / size)).toBe(1);
    expect(Math.round(kept(inForm('nothing')) / size)).toBe(3);
  });

  it('merges the two affine maps into one', () => {
    const large = (graph: Graph, type: string) =>
      graph.nodes.filter(
        (n) =>
          n.opType === type &&
          !n.name.includes('/vjp') &&
          sizeOf(graph.values.get(n.output[0] ?? '')?.shape ?? []) === 8 * 64 * 64,
      ).length;
    // The one of the affine map, and SiLU's.
    expect(large(inForm('nothing'), 'Mul')).toBe(2);
    expect(large(inForm('nothing'), 'Add')).toBe(1);
    expect(count(block(), 'Mul')).toBe(3);
  });
});

describe('a sigmoid that is used twice', () => {
  it('has its own gradient', async () => {
    const graph = (joint: boolean) => {
      const b = new GraphBuilder();
      const z = b.input('z', 'float32', [5]);
      const s = b.op('Sigmoid', [z]);
      const other = joint ? b.op('Sigmoid', [z]) : s;
      b.output(b.add(b.mul(z, s), other), 'y');
      return differentiate(b.graph);
    };
    const feeds = { z: randomTensor('z', [5]), 'y.cotangent': randomTensor('g', [5]) };
    const [apart, shared] = [
      await runGraph(graph(true), feeds),
      await runGraph(graph(false), feeds),
    ];
    expect(relativeError(shared['z.gradient']!, apart['z.gradient']!)).toBeLessThan(1e-6);
  });
});

describe('a chain of blocks', () => {
  const chain = (recompute: Forms['recompute']) =>
    differentiate(block(16), { forms: { ...defaultForms, recompute } });

  it('keeps a few checkpoints where most is recomputed, for less memory', () => {
    const [most, cheap, nothing] = [chain('most'), chain('cheap'), chain('nothing')];
    const size = 8 * 64 * 64;
    expect(Math.round(kept(cheap) / size)).toBe(16);
    expect(Math.round(kept(most) / size)).toBeLessThan(10);
    expect(peakBytes(most)).toBeLessThan(0.8 * peakBytes(cheap));
    expect(peakBytes(cheap)).toBeLessThan(0.8 * peakBytes(nothing));
  });

  it('computes no convolution more than twice', () => {
    // Sixteen, their gradients, and the sixteen again at the most.
    expect(count(chain('most'), 'Conv')).toBeLessThanOrEqual(48);
    expect(count(chain('cheap'), 'Conv')).toBe(32);
  });

  it('has the same gradient', async () => {
    const feeds = {
      x: randomTensor('x', [1, 8, 64, 64]),
      'y.cotangent': randomTensor('cotangent', [1, 8, 64, 64]),
    };
    const expected = await runGraph(chain('cheap'), feeds);
    const found = await runGraph(chain('most'), feeds);
    expect(relativeError(found['x.gradient']!, expected['x.gradient']!)).toBeLessThan(1e-5);
  });
});
