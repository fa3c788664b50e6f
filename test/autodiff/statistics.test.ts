/** InstanceNormalization rewritten into LayerNormalization: the same values, fewer computed. */
import { expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import type { Forms } from '../../src/autodiff/rule.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

/** Two normalizations of the same shape, with and without scale and bias, and one off the path. */
function normalizations(shape: number[], scale: number[], bias: number[]): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', shape);
  const c = b.input('c', 'float32', shape);
  const normal = (v: typeof x, s: number[], o: number[]) =>
    b.op('InstanceNormalization', [v, b.constant(s), b.constant(o)], { epsilon: 1e-3 });
  const first = b.op('Sigmoid', [normal(x, [1, 1], [0, 0])]);
  b.output(b.mul(normal(first, scale, bias), normal(c, scale, bias)), 'y');
  return b.graph;
}

const operators = (graph: Graph): string[] => graph.nodes.map((n) => n.opType);
const count = (graph: Graph, opType: string): number =>
  operators(graph).filter((o) => o === opType).length;

test.each([
  { shape: [2, 2, 50], scale: [1, 1], bias: [0, 0] },
  { shape: [1, 2, 6, 7], scale: [0.5, -2], bias: [0, 0] },
  { shape: [1, 2, 3000], scale: [1, 1], bias: [0.3, 1] },
])('$shape, scale $scale, bias $bias', async ({ shape, scale, bias }) => {
  const graph = normalizations(shape, scale, bias);
  const inForm = (normalization: Forms['normalization']): Graph =>
    differentiate(graph, {
      wrt: 'x',
      forms: {
        convolution: 'flipped',
        recompute: 'nothing',
        normalization,
        normalizedSilu: 'whole',
        attention: 'kept',
      },
    });
  const [layer, instance] = [inForm('layer'), inForm('instance')];
  expect([count(layer, 'LayerNormalization'), count(layer, 'InstanceNormalization')]).toEqual([
    2, 1,
  ]);
  expect(count(instance, 'InstanceNormalization')).toBe(3);
  // The statistics of neither normalization are computed again.
  expect([count(layer, 'Sqrt'), count(instance, 'Sqrt')]).toEqual([0, 2]);
  expect([...layer.initializers.keys()].filter((name) => name.startsWith('ones'))).toHaveLength(1);

  const feeds = Object.fromEntries(
    ['x', 'c', 'y.cotangent'].map((name) => [name, randomTensor(name, shape)]),
  );
  const [a, b] = [await runGraph(layer, feeds), await runGraph(instance, feeds)];
  expect(relativeError(a['y'] as Tensor, b['y'] as Tensor)).toBeLessThan(1e-6);
  const gradient = 'x.gradient';
  expect(relativeError(a[gradient] as Tensor, b[gradient] as Tensor)).toBeLessThan(1e-5);
});
