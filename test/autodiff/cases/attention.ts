/** Law cases of softmax and attention. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { GraphBuilder } from '../../../src/onnx/builder.ts';
import type { Value } from '../../../src/onnx/graph.ts';
import { sizeOf } from '../../../src/tensor/tensor.ts';
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

/** cos and sin of an angle for each pair of each place; the pairs are the halves, or neighbours. */
const rotary = (
  name: string,
  shape: number[],
  attributes: Attributes = {},
  byPosition = false,
): LawCase => ({
  name,
  operator: 'RotaryEmbedding',
  inputs: { x: { shape } },
  opset: 23,
  build: (b, { x }) => {
    const size = byPosition ? [7, 2] : [2, 3, 2];
    const angles = Array.from({ length: sizeOf(size) }, (_, i) => 0.4 * i + 0.1);
    const [cos, sin] = [Math.cos, Math.sin].map((f) => b.constant(angles.map(f), 'float32', size));
    const at = byPosition ? b.constant([0, 5, 2, 6, 1, 1], 'int64', [2, 3]) : undefined;
    return b.op('RotaryEmbedding', [x, cos, sin, at], attributes);
  },
});

const heads: [number[], number[], number[]] = [
  [2, 2, 3, 4],
  [2, 2, 5, 4],
  [2, 2, 5, 6],
];
const visible = [1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1];
/** Of the second query nothing is; or nothing but keys that come later. */
const leftNone = (causal: 0 | 1): number[] =>
  visible.map((seen, i) => (i < 5 || i >= 10 ? seen : causal && i > 6 ? 1 : 0));

export const attention: LawCase[] = [
  alongAxis('Softmax', -1),
  alongAxis('Softmax', 1),
  alongAxis('LogSoftmax', -1),
  alongAxis('LogSoftmax', 0),
  dotProduct('heads apart', heads),
  dotProduct('scale', heads, { scale: 0.3 }),
  dotProduct('causal', heads, { is_causal: 1 }),
  dotProduct('boolean mask', heads, {}, (b) => b.constant(visible, 'bool', [3, 5])),
  ...([0, 1] as const).map((causal) =>
    dotProduct(
      causal ? 'boolean mask, causal, nothing left for a query' : 'nothing left for a query',
      heads,
      { is_causal: causal },
      (b) => b.constant(leftNone(causal), 'bool', [3, 5]),
    ),
  ),
  dotProduct('all hidden by a number', heads, {}, (b) =>
    b.constant(
      leftNone(0).map((seen) => (seen ? 0 : -Infinity)),
      'float32',
      [3, 5],
    ),
  ),
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
  rotary('halves', [2, 2, 3, 4]),
  rotary('neighbours', [2, 2, 3, 4], { interleaved: 1 }),
  rotary('by position', [2, 2, 3, 4], {}, true),
  rotary('heads packed', [2, 3, 8], { num_heads: 2 }),
  rotary('a part of each head', [2, 2, 3, 6], { rotary_embedding_dim: 4 }),
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
