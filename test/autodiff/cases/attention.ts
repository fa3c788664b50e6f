/** Law cases of softmax and attention. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { GraphBuilder } from '../../../src/onnx/builder.ts';
import type { Value } from '../../../src/onnx/graph.ts';
import type { LawCase } from '../law.ts';

const alongAxis = (operator: string, axis: number): LawCase => ({
  name: `axis ${axis}`,
  operator,
  inputs: { x: { shape: [2, 3, 4] } },
  build: (b, { x }) => b.op(operator, [x], { axis }),
});

const dotProduct = (
  name: string,
  [q, k, v]: [number[], number[], number[]],
  attributes: Attributes = {},
  mask?: (b: GraphBuilder) => Value,
): LawCase => ({
  name,
  operator: 'Attention',
  inputs: { q: { shape: q }, k: { shape: k }, v: { shape: v } },
  opset: 23,
  build: (b, { q, k, v }) => b.op('Attention', [q, k, v, mask?.(b)], attributes),
});

const heads: [number[], number[], number[]] = [
  [2, 2, 3, 4],
  [2, 2, 5, 4],
  [2, 2, 5, 6],
];
const visible = [1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1];

export const attention: LawCase[] = [
  alongAxis('Softmax', -1),
  alongAxis('Softmax', 1),
  alongAxis('LogSoftmax', -1),
  alongAxis('LogSoftmax', 0),
  dotProduct('heads apart', heads),
  dotProduct('scale', heads, { scale: 0.3 }),
  dotProduct('causal', heads, { is_causal: 1 }),
  dotProduct('boolean mask', heads, {}, (b) => b.constant(visible, 'bool', [3, 5])),
  dotProduct(
    'heads packed',
    [
      [2, 3, 8],
      [2, 5, 8],
      [2, 5, 12],
    ],
    { q_num_heads: 2, kv_num_heads: 2 },
  ),
  dotProduct('queries that share keys', [
    [1, 4, 3, 2],
    [1, 2, 5, 2],
    [1, 2, 5, 3],
  ]),
  dotProduct(
    'queries that share keys, packed',
    [
      [2, 3, 8],
      [2, 5, 4],
      [2, 5, 6],
    ],
    { q_num_heads: 4, kv_num_heads: 2 },
  ),
  {
    name: 'float mask',
    operator: 'Attention',
    inputs: {
      q: { shape: [1, 2, 3, 4] },
      k: { shape: [1, 2, 5, 4] },
      v: { shape: [1, 2, 5, 4] },
      mask: { shape: [1, 1, 3, 5] },
    },
    opset: 23,
    build: (b, { q, k, v, mask }) => b.op('Attention', [q, k, v, mask]),
  },
];
