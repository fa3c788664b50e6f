/** The forms that save passes and memory compute the same gradients. */
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { defaultForms } from '../../src/autodiff/gradients.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

/** GroupNorm, its affine map, a modulation, SiLU and a convolution, as UNets repeat them. */
function block(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [1, 8, 64, 64]);
  const constant = (name: string, shape: number[]) =>
    b.initializer(name, initializerFrom('float32', shape, randomTensor(name, shape).data));
  const groups = b.reshape(x, [1, 2, 4 * 64 * 64]);
  const [one, zero] = [b.constant([1, 1]), b.constant([0, 0])];
  const normal = b.op('InstanceNormalization', [groups, one, zero], { epsilon: 1e-5 });
  const rows = b.reshape(normal, x.shape);
  const z0 = b.add(b.mul(rows, constant('gain', [8, 1, 1])), constant('bias', [8, 1, 1]));
  const z = b.add(b.mul(z0, constant('scale', [1, 8, 1, 1])), constant('shift', [1, 8, 1, 1]));
  const y = b.mul(z, b.op('Sigmoid', [z]));
  const kernel = constant('kernel', [8, 8, 3, 3]);
  b.output(b.op('Conv', [y, kernel], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }), 'y');
  return b.graph;
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
  const inForm = (recompute: boolean) =>
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
        recompute: false,
        normalizedSilu: 'whole',
      },
    });
    const expected = await runGraph(reference, feeds);
    for (const graph of [inForm(true), inForm(false)]) {
      const out = await runGraph(graph, feeds);
      expect(relativeError(out['y']!, expected['y']!)).toBeLessThan(1e-5);
      expect(relativeError(out['x.gradient']!, expected['x.gradient']!)).toBeLessThan(1e-5);
    }
  });

  it('keeps one large value a layer where it recomputes, and three where it does not', () => {
    const size = 8 * 64 * 64;
    expect(Math.round(kept(inForm(true)) / size)).toBe(1);
    expect(Math.round(kept(inForm(false)) / size)).toBe(3);
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
    expect(large(inForm(false), 'Mul')).toBe(2);
    expect(large(inForm(false), 'Add')).toBe(1);
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
