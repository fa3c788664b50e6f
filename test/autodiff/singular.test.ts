/** Gradients at points where central differences say nothing: kinks, ties, and norms of zero. */
import { expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Value } from '../../src/onnx/graph.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { runGraph } from '../helpers/run.ts';

interface Point {
  readonly shape: number[];
  readonly x: number[];
  readonly y: (b: GraphBuilder, x: Value) => Value;
  /** Of the output. */
  readonly g: number[];
  readonly gradient: number[];
}

/** Over the last of two axes. */
const reduced =
  (kind: string): Point['y'] =>
  (b, x) =>
    b.reduce(kind, x, [1]);
const normalized =
  (p: number): Point['y'] =>
  (b, x) =>
    b.op('LpNormalization', [x], { p, axis: 1 });
const alone =
  (type: string): Point['y'] =>
  (b, x) =>
    b.op(type, [x]);

const [third, twoThirds] = [1 / 3, 2 / 3];

test.each<[string, Point]>([
  [
    'the largest share what comes to them',
    {
      shape: [2, 4],
      x: [1, 3, 3, 2, 5, 5, 5, 4],
      y: reduced('Max'),
      g: [1, 2],
      gradient: [0, 0.5, 0.5, 0, twoThirds, twoThirds, twoThirds, 0],
    },
  ],
  [
    'so do the smallest',
    {
      shape: [2, 4],
      x: [1, 1, 3, 1, -2, 0, 0, -2],
      y: reduced('Min'),
      g: [1, 2],
      gradient: [third, third, 0, third, 1, 0, 0, 1],
    },
  ],
  [
    'and the largest of a channel',
    {
      shape: [1, 2, 2, 2],
      x: [2, 5, 5, 5, 1, 0, 1, 0],
      y: alone('GlobalMaxPool'),
      g: [1, 2],
      gradient: [0, third, third, third, 1, 0, 1, 0],
    },
  ],
  [
    'the larger of two equal tensors is both',
    {
      shape: [1, 3],
      x: [1, 2, 3],
      y: (b, x) => b.op('Max', [x, b.constant([2, 2, 2])]),
      g: [1, 1, 1],
      gradient: [0, 0.5, 1],
    },
  ],
  [
    'data and updates that are as large share',
    {
      shape: [1, 3],
      x: [1, 3, 2],
      y: (b, x) =>
        b.op(
          'ScatterElements',
          [
            x,
            b.constant([1, 1, 1, 2], 'int64', [1, 4]),
            b.constant([3, 3, 1, 2], 'float32', [1, 4]),
          ],
          { axis: 1, reduction: 'max' },
        ),
      g: [1, 3, 1],
      gradient: [1, 1, 0.5],
    },
  ],
  [
    'and so do updates in one place',
    {
      shape: [4, 1],
      x: [0, -2, -2, 5],
      y: (b, x) =>
        b.op(
          'ScatterND',
          [b.constant([-2, 5], 'float32', [2, 1]), b.constant([0, 0, 0, 1], 'int64', [4, 1]), x],
          { reduction: 'min' },
        ),
      g: [3, 1],
      gradient: [0, 1, 1, 0.5],
    },
  ],
  // x / ‖x‖, of which a norm of zero leaves zero.
  [
    'the norm of zeros is flat',
    {
      shape: [2, 2],
      x: [0, 0, 3, -4],
      y: reduced('L2'),
      g: [1, 2],
      gradient: [0, 0, 1.2, -1.6],
    },
  ],
  [
    'sums of magnitudes are flat at zero',
    { shape: [1, 3], x: [0, 2, -3], y: reduced('L1'), g: [2], gradient: [0, 2, -2] },
  ],
  // (g - y ⟨g, y⟩) / ‖x‖, the norm at least 1e-30.
  [
    'normalized zeros stay finite, by the Euclidean norm',
    {
      shape: [2, 2],
      x: [0, 0, 3, 4],
      y: normalized(2),
      g: [1, 2, 1, 2],
      gradient: [1e30, 2e30, -0.064, 0.048],
    },
  ],
  // (g - sign(x) ⟨g, y⟩) / ‖x‖.
  [
    'normalized zeros stay finite, by the sum of magnitudes',
    {
      shape: [2, 2],
      x: [0, 0, 3, -1],
      y: normalized(1),
      g: [1, 2, 1, 2],
      gradient: [1e30, 2e30, 0.1875, 0.5625],
    },
  ],
  ...[1, 2, 3, 8].map((p): [string, Point] => [
    `a window of zeros is flat, by the ${p}-norm`,
    {
      shape: [1, 1, 4],
      x: [0, 0, -2, 0],
      y: (b, x) => b.op('LpPool', [x], { kernel_shape: [2], strides: [2], p }),
      g: [1e3, 3],
      gradient: [0, 0, -3, 0],
    },
  ]),
  // Cofactors, of which an inverse would make infinities.
  [
    'the determinant of a singular matrix is not flat',
    {
      shape: [2, 2],
      x: [1, 2, 2, 4],
      y: alone('Det'),
      g: [2],
      gradient: [8, -4, -4, 2],
    },
  ],
  [
    'that of one of rank n − 2 is',
    {
      shape: [3, 3],
      x: [1, 2, 3, 2, 4, 6, -1, -2, -3],
      y: alone('Det'),
      g: [1],
      gradient: [0, 0, 0, 0, 0, 0, 0, 0, 0],
    },
  ],
  [
    '|x| is flat at 0',
    { shape: [3], x: [-1, 0, 2], y: alone('Abs'), g: [1, 1, 1], gradient: [-1, 0, 1] },
  ],
  [
    'so is a Relu',
    { shape: [3], x: [-1, 0, 2], y: alone('Relu'), g: [1, 1, 1], gradient: [0, 0, 1] },
  ],
  [
    'what is on the bound of a Clip counts as inside',
    {
      shape: [4],
      x: [-2, -1, 1, 2],
      y: (b, x) => b.op('Clip', [x, b.constant(-1), b.constant(1)]),
      g: [1, 1, 1, 1],
      gradient: [0, 1, 1, 0],
    },
  ],
])('%s', async (_, { shape, x, y, g, gradient }) => {
  const b = new GraphBuilder(emptyGraph('point', 18));
  const output = b.output(y(b, b.input('x', 'float32', shape)), 'y');
  const found = await runGraph(differentiate(b.graph), {
    x: tensor(shape, Float32Array.from(x)),
    'y.cotangent': tensor([...output.shape], Float32Array.from(g)),
  });
  // To five digits.
  const near = gradient.map((v) => expect.closeTo(v, 5 - Math.ceil(Math.log10(Math.abs(v) || 1))));
  expect([...found['x.gradient']!.data]).toEqual(near);
});
