/** Operators of com.microsoft as they are written, against ONNX Runtime's own kernels. */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../../src/autodiff/differentiate.ts';
import { isFloat, type DType } from '../../../src/onnx/dtype.ts';
import { fusedOperators } from '../../../src/onnx/fused/fused.ts';
import type { Graph } from '../../../src/onnx/graph.ts';
import { parseModel } from '../../../src/onnx/read.ts';
import { resolveGraph } from '../../../src/session/resolve.ts';
import { sizeOf, type Tensor } from '../../../src/tensor/tensor.ts';
import {
  byKernel,
  feedsOf,
  floats,
  ints,
  modelOf,
  scalar,
  whole,
  x,
  type OneNode,
  type Slot,
} from '../../helpers/one-node.ts';
import { relativeError } from '../../helpers/random.ts';
import { runGraph } from '../../helpers/run.ts';

/** Bytes with scale and zero point. */
const bytes = (scale: number, zero: number, ...shape: number[]): Slot[] => [
  ints('uint8', whole(sizeOf(shape), 255), shape),
  scalar(scale),
  scalar(zero, 'uint8'),
];

const sequence = [2, 5, 12];
const flags = ints('int32', [1, 1, 1, 0, 0, 1, 1, 1, 1, 0], [2, 5]);
const heads = { num_heads: 3 };

/** Weights of integers have 7 bits: AVX2's kernels saturate sums of two products of 8 bits each. */
const cases: OneNode[] = [
  { operator: 'Gelu', name: '', slots: [x(3, 7)] },
  { operator: 'BiasGelu', name: '', slots: [x(2, 3, 7), floats(7)] },
  { operator: 'FastGelu', name: '', slots: [x(2, 3, 7)] },
  { operator: 'FastGelu', name: 'bias', slots: [x(2, 3, 7), floats(7)] },
  { operator: 'QuickGelu', name: '', slots: [x(3, 7)], attributes: { alpha: { f: 1.3 } } },
  { operator: 'QuickGelu', name: 'alpha left out', slots: [x(3, 7)] },
  { operator: 'Trilu', name: 'upper', slots: [x(4, 4)] },
  {
    operator: 'Trilu',
    name: 'lower, k',
    slots: [x(2, 4, 5), scalar(1, 'int64')],
    attributes: { upper: 0 },
  },

  {
    operator: 'FusedMatMul',
    name: 'alpha',
    slots: [x(2, 3, 4), x(4, 5)],
    attributes: { alpha: { f: 0.3 } },
  },
  {
    operator: 'FusedMatMul',
    name: 'transA',
    slots: [x(2, 4, 3), x(2, 4, 5)],
    attributes: { transA: 1 },
  },
  {
    operator: 'FusedMatMul',
    name: 'transB',
    slots: [x(2, 3, 4), x(5, 4)],
    attributes: { transB: 1 },
  },
  {
    operator: 'FusedMatMul',
    name: 'vector',
    slots: [x(4), x(5, 4)],
    attributes: { transA: 1, transB: 1 },
  },
  {
    operator: 'FusedMatMul',
    name: 'transBatchA',
    slots: [x(3, 2, 4), x(2, 4, 5)],
    attributes: { transBatchA: 1 },
  },
  {
    operator: 'FusedMatMul',
    name: 'transBatchA, transA, transBatchB, transB',
    slots: [x(4, 2, 6, 3), x(5, 2, 6, 4)],
    attributes: { transBatchA: 1, transA: 1, transBatchB: 1, transB: 1 },
  },
  {
    operator: 'TransposeMatMul',
    name: '',
    slots: [x(4, 3), x(4, 5)],
    attributes: { transA: 1, alpha: { f: 2 } },
  },
  {
    operator: 'FusedGemm',
    name: 'LeakyRelu',
    slots: [x(4, 3), floats(5, 3), floats(5)],
    attributes: { transB: 1, activation: 'LeakyRelu', activation_alpha: { f: 0.2 } },
  },
  {
    operator: 'FusedGemm',
    name: 'Relu, alpha, beta',
    slots: [x(4, 3), floats(3, 5), floats(5)],
    attributes: { alpha: { f: 0.5 }, beta: { f: 2 }, activation: 'Relu' },
  },
  ...(
    [
      ['', []],
      ['Relu', []],
      ['Tanh', []],
      ['Sigmoid', []],
      ['LeakyRelu', [0.1]],
      ['Clip', [-0.4, 0.6]],
      ['HardSigmoid', [0.3, 0.4]],
    ] as const
  ).map(([activation, numbers]): OneNode => ({
    operator: 'FusedConv',
    name: activation || 'no activation',
    slots: [x(1, 2, 6, 5), floats(4, 1, 3, 3), floats(4)],
    attributes: {
      group: 2,
      pads: [1, 1, 1, 1],
      strides: [2, 1],
      ...(activation && { activation }),
      ...(numbers.length > 0 && { activation_params: { floats: [...numbers] } }),
    },
  })),
  {
    operator: 'FusedConv',
    name: 'a sum',
    slots: [x(1, 2, 6, 5), floats(4, 2, 3, 3), floats(4), x(1, 4, 4, 3)],
    attributes: { activation: 'Relu' },
  },

  ...[2, 4, 8].flatMap((bits): OneNode[] => {
    const [n, k, size] = [5, 40, 16];
    const blocks = Math.ceil(k / size);
    const weights = ints('uint8', whole((n * blocks * size * bits) / 8, 255), [
      n,
      blocks,
      (size * bits) / 8,
    ]);
    const scales = floats(n * blocks);
    const zeros = ints('uint8', whole(n * Math.ceil((blocks * bits) / 8), 255));
    const attributes = { N: n, K: k, bits, block_size: size };
    return [
      {
        operator: 'MatMulNBits',
        name: `${bits} bits`,
        slots: [x(2, 3, k), weights, scales],
        attributes,
      },
      {
        operator: 'MatMulNBits',
        name: `${bits} bits, zero points, bias`,
        slots: [x(3, k), weights, scales, zeros, undefined, floats(n)],
        attributes,
      },
    ];
  }),

  ...[0, 1].map((type): OneNode => ({
    operator: 'MatMulBnb4',
    name: type === 0 ? 'magnitudes' : 'quantiles',
    slots: [x(3, 24), ints('uint8', whole(96, 255)), floats(12)],
    attributes: { N: 8, K: 24, block_size: 16, quant_type: type },
  })),

  {
    operator: 'SkipLayerNormalization',
    name: 'with the sum',
    slots: [x(2, 3, 8), x(2, 3, 8), floats(8), floats(8), floats(8)],
    outputs: [0, 3],
  },
  {
    operator: 'SkipLayerNormalization',
    name: 'one skip for all',
    slots: [x(2, 3, 8), x(3, 8), floats(8)],
    attributes: { epsilon: { f: 0.01 } },
  },
  {
    operator: 'SkipSimplifiedLayerNormalization',
    name: 'with the sum',
    slots: [x(2, 3, 8), x(2, 3, 8), floats(8), floats(8)],
    attributes: { epsilon: { f: 0.01 } },
    outputs: [0, 3],
  },
  {
    operator: 'SimplifiedLayerNormalization',
    name: '',
    domain: '',
    slots: [x(2, 3, 8), floats(8)],
    attributes: { epsilon: { f: 0.01 }, axis: -1 },
  },
  {
    operator: 'EmbedLayerNormalization',
    name: 'segments, mask',
    slots: [
      ints('int32', [3, 1, 0, 4, 2, 2], [2, 3]),
      ints('int32', [0, 0, 1, 1, 0, 1], [2, 3]),
      x(5, 8),
      floats(4, 8),
      floats(2, 8),
      floats(8),
      floats(8),
      ints('int32', [1, 1, 0, 1, 1, 1], [2, 3]),
    ],
    outputs: [0, 1],
  },
  {
    operator: 'EmbedLayerNormalization',
    name: 'places, the sum',
    slots: [
      ints('int32', [3, 1, 0, 4, 2, 2], [2, 3]),
      undefined,
      x(5, 8),
      floats(4, 8),
      undefined,
      floats(8),
      floats(8),
      undefined,
      ints('int32', [3, 1, 2], [1, 3]),
    ],
    attributes: { epsilon: { f: 0.001 } },
    outputs: [0, 1, 2],
  },

  {
    operator: 'MultiHeadAttention',
    name: '',
    slots: [x(...sequence), x(2, 7, 12), x(2, 7, 6)],
    attributes: heads,
  },
  {
    operator: 'MultiHeadAttention',
    name: 'bias, scale, causal',
    slots: [x(...sequence), x(...sequence), x(...sequence), floats(36)],
    attributes: { ...heads, scale: { f: 0.2 }, unidirectional: 1 },
  },
  {
    operator: 'MultiHeadAttention',
    name: 'flags of keys',
    slots: [x(...sequence), x(...sequence), x(...sequence), undefined, flags],
    attributes: { ...heads, mask_filter_value: { f: -3 } },
  },
  {
    operator: 'MultiHeadAttention',
    name: 'added scores',
    slots: [x(...sequence), x(2, 7, 12), x(2, 7, 12), undefined, undefined, x(1, 3, 5, 7)],
    attributes: heads,
  },
  {
    operator: 'MultiHeadAttention',
    name: 'a state before, and after',
    slots: [
      x(...sequence),
      x(...sequence),
      x(...sequence),
      undefined,
      undefined,
      undefined,
      x(2, 3, 2, 4),
      x(2, 3, 2, 4),
    ],
    attributes: { ...heads, unidirectional: 1 },
    outputs: [0, 1, 2],
  },
  {
    operator: 'MultiHeadAttention',
    name: 'keys and values by head',
    slots: [x(...sequence), x(2, 3, 7, 4), x(2, 3, 7, 4)],
    attributes: heads,
  },
  {
    operator: 'MultiHeadAttention',
    name: 'keys and values by head, bias',
    slots: [x(...sequence), x(2, 3, 7, 4), x(2, 3, 7, 4), floats(36)],
    attributes: heads,
  },
  {
    operator: 'Attention',
    name: '',
    slots: [x(...sequence), floats(12, 36), floats(36)],
    attributes: heads,
  },
  {
    operator: 'Attention',
    name: 'lengths',
    slots: [x(...sequence), floats(12, 36), floats(36), ints('int32', [3, 4])],
    attributes: heads,
  },
  {
    operator: 'Attention',
    name: 'flags of keys, causal',
    slots: [x(...sequence), floats(12, 36), floats(36), flags],
    attributes: { ...heads, unidirectional: 1 },
  },
  {
    operator: 'Attention',
    name: 'flags of queries and keys',
    slots: [x(...sequence), floats(12, 36), floats(36), ints('int32', whole(50, 1), [2, 5, 5])],
    attributes: heads,
  },
  {
    operator: 'Attention',
    name: 'other widths, added scores',
    slots: [x(...sequence), floats(12, 24), floats(24), undefined, undefined, x(2, 1, 5, 5)],
    attributes: { ...heads, qkv_hidden_sizes: [6, 6, 12], scale: { f: 0.4 } },
  },
  {
    operator: 'Attention',
    name: 'a state before, and after',
    slots: [x(...sequence), floats(12, 36), floats(36), undefined, x(2, 2, 3, 4, 4)],
    attributes: { ...heads, unidirectional: 1 },
    outputs: [0, 1],
  },

  {
    operator: 'RotaryEmbedding',
    name: 'places of each',
    slots: [x(2, 3, 8), ints('int64', [0, 1, 2, 4, 3, 1], [2, 3]), floats(6, 4), floats(6, 4)],
  },
  {
    operator: 'RotaryEmbedding',
    name: 'where they begin, by head',
    slots: [x(2, 3, 4, 8), ints('int64', [2]), floats(6, 4), floats(6, 4)],
  },
  {
    operator: 'RotaryEmbedding',
    name: 'interleaved, a part of each head',
    slots: [x(2, 3, 16), ints('int64', [0, 1, 2, 4, 3, 1], [2, 3]), floats(6, 2), floats(6, 2)],
    attributes: { interleaved: 1, num_heads: 2, rotary_embedding_dim: 4 },
  },

  ...['QLinearAdd', 'QLinearMul'].map((operator): OneNode => ({
    operator,
    name: 'broadcast',
    slots: [
      ...bytes(0.02, 120, 2, 3, 4),
      ...bytes(0.03, 90, 3, 1),
      scalar(0.05),
      scalar(128, 'uint8'),
    ],
  })),
  {
    operator: 'QLinearSigmoid',
    name: '',
    slots: [...bytes(0.04, 120, 3, 50), scalar(1 / 256), scalar(0, 'uint8')],
  },
  {
    operator: 'QLinearLeakyRelu',
    name: '',
    slots: [...bytes(0.04, 120, 3, 50), scalar(0.03), scalar(20, 'uint8')],
    attributes: { alpha: { f: 0.1 } },
  },
  {
    operator: 'QLinearSoftmax',
    name: '',
    slots: [...bytes(0.02, 120, 3, 9), scalar(1 / 256), scalar(0, 'uint8')],
    attributes: { axis: -1, opset: 17 },
  },
  {
    operator: 'QLinearAveragePool',
    name: '',
    slots: [...bytes(0.02, 120, 1, 3, 6, 6), scalar(0.02), scalar(120, 'uint8')],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  {
    operator: 'QLinearAveragePool',
    name: 'channels last',
    slots: [...bytes(0.02, 120, 1, 6, 6, 3), scalar(0.02), scalar(120, 'uint8')],
    attributes: { kernel_shape: [2, 2], strides: [2, 2], channels_last: 1 },
  },
  {
    operator: 'QLinearGlobalAveragePool',
    name: '',
    slots: [...bytes(0.02, 120, 2, 3, 6, 6), scalar(0.01), scalar(100, 'uint8')],
  },
  {
    operator: 'QLinearGlobalAveragePool',
    name: 'channels last',
    slots: [...bytes(0.02, 120, 2, 6, 6, 3), scalar(0.01), scalar(100, 'uint8')],
    attributes: { channels_last: 1 },
  },
  {
    operator: 'QLinearConcat',
    name: '',
    slots: [
      scalar(0.03),
      scalar(110, 'uint8'),
      ...bytes(0.02, 120, 1, 2, 5),
      ...bytes(0.04, 90, 1, 3, 5),
    ],
    attributes: { axis: 1 },
  },
  {
    operator: 'QLinearWhere',
    name: '',
    slots: [
      ints('bool', whole(6, 1), [2, 3]),
      ...bytes(0.02, 120, 2, 3),
      ...bytes(0.04, 90, 3),
      scalar(0.05),
      scalar(100, 'uint8'),
    ],
  },
  {
    operator: 'QLinearConv',
    name: 'channels last',
    slots: [
      ...bytes(0.02, 120, 1, 6, 5, 2),
      ints('int8', whole(4 * 2 * 9, 63, -63), [4, 2, 3, 3]),
      { shape: [4], values: [0.01, 0.02, 0.03, 0.015] },
      ints('int8', [0, 0, 0, 0]),
      scalar(0.3),
      scalar(128, 'uint8'),
      ints('int32', [100, -200, 50, 0]),
    ],
    attributes: { channels_last: 1, pads: [1, 1, 1, 1] },
  },
  {
    operator: 'QGemm',
    name: 'bytes out, a scale for each column',
    slots: [
      ...bytes(0.02, 120, 4, 3),
      ints('int8', whole(15, 63, -63), [5, 3]),
      { shape: [5], values: [0.01, 0.02, 0.03, 0.015, 0.02] },
      ints('int8', [0, 0, 0, 0, 0]),
      ints('int32', [100, -200, 50, 0, 10]),
      scalar(0.1),
      scalar(128, 'uint8'),
    ],
    attributes: { transB: 1, alpha: { f: 0.5 } },
  },
  {
    operator: 'QGemm',
    name: 'floats out',
    slots: [...bytes(0.02, 120, 3, 4), ...bytes(0.03, 100, 3, 5)],
    attributes: { transA: 1, alpha: { f: 0.5 } },
  },
  {
    operator: 'MatMulIntegerToFloat',
    name: '',
    slots: [
      ints('uint8', whole(12, 255), [4, 3]),
      ints('int8', whole(15, 63, -63), [3, 5]),
      scalar(0.02),
      { shape: [5], values: [0.01, 0.02, 0.03, 0.015, 0.02] },
      scalar(120, 'uint8'),
      ints('int8', [0, 0, 0, 0, 0]),
      floats(5),
    ],
  },
  {
    operator: 'DynamicQuantizeMatMul',
    name: '',
    slots: [
      x(4, 3),
      ints('int8', whole(15, 63, -63), [3, 5]),
      scalar(0.02),
      scalar(3, 'int8'),
      floats(5),
    ],
  },
  ...['bilinear', 'nearest'].map((mode): OneNode => ({
    operator: 'GridSample',
    name: mode,
    slots: [x(2, 3, 5, 4), x(2, 3, 6, 2)],
    attributes: { mode, padding_mode: 'border', align_corners: 1 },
  })),
  { operator: 'GridSample', name: '', slots: [x(1, 2, 5, 4), x(1, 3, 6, 2)] },
  {
    operator: 'GatherND',
    name: 'integers of 32 bits',
    slots: [x(3, 4, 5), ints('int32', [2, 1, 0, 3], [2, 2])],
  },
  { operator: 'ExpandDims', name: '', slots: [x(3, 4), scalar(-2, 'int32')] },
  { operator: 'QuantizeLinear', name: '', slots: [x(4, 3), scalar(0.02), scalar(120, 'uint8')] },
  { operator: 'DequantizeLinear', name: '', slots: bytes(0.02, 120, 4, 3) },
];

/** The graph of a model of one node. */
const resolved = (model: Uint8Array): Promise<Graph> =>
  resolveGraph(parseModel(model, { folder: '.', where: 'one.onnx' }));

const foreignIn = ({ nodes }: Graph): string[] =>
  nodes.filter((n) => n.domain !== '').map((n) => n.opType);

/** Of the largest magnitude; for integers in units, of which roundings may differ by one. */
function deviation(a: Tensor, b: Tensor, dtype: DType): number {
  if (isFloat(dtype)) return relativeError(a, b);
  return Math.max(...a.data.map((v, i) => Math.abs(v - b.data[i]!)));
}

const fed = ({ slots }: OneNode): number => slots.findIndex((slot) => slot && !slot.values);

describe.each([17, 23])('in operator set %i', (opset) => {
  test.each(cases)('$operator, $name', async (c) => {
    const model = modelOf(c, opset);
    const feeds = feedsOf(c);
    const expected = await byKernel(model, feeds);
    const graph = await resolved(model);
    expect(foreignIn(graph)).toEqual([]);
    const found = await runGraph(graph, feeds);
    for (const { name, dtype } of graph.outputs) {
      const [a, e] = [found[name] as Tensor, expected[name] as Tensor];
      expect(a.shape).toEqual(e.shape);
      expect(deviation(a, e, dtype)).toBeLessThanOrEqual(isFloat(dtype) ? 2e-6 : 1);
    }
  });

  const differentiable = cases.filter((c) => fed(c) >= 0 && c.operator !== 'QuantizeLinear');
  test.each(differentiable)('$operator, $name, has a gradient', async (c) => {
    const graph = await resolved(modelOf(c, opset));
    const wrt = `in.${fed(c)}`;
    const output = graph.outputs[0]!.name;
    const derivative = differentiate(graph, { output, wrt });
    expect(derivative.outputs.map((o) => o.name)).toContain(`${wrt}.gradient`);
  });
});

/** ONNX Runtime has kernels for packed queries, keys and values on GPUs alone. */
test.each([
  ['all', [[2, 5, 3, 3, 4]]],
  ['keys and values', [sequence, [2, 7, 3, 2, 4]]],
])('packed attention is that of its parts: %s', async (_, shapes) => {
  const attention = (slots: readonly number[][]): OneNode => ({
    operator: 'MultiHeadAttention',
    name: 'packed',
    slots: slots.map((shape) => x(...shape)),
    attributes: heads,
  });
  const packed = attention(shapes);
  const feeds = feedsOf(packed);
  const parts = Object.values(feeds).flatMap(unpacked);
  const apart = attention(parts.map(({ shape }) => [...shape]));
  const named = Object.fromEntries(parts.map((part, i) => [`in.${i}`, part]));
  const found = await runGraph(await resolved(modelOf(packed, 17)), feeds);
  const expected = await byKernel(modelOf(apart, 17), named);
  expect(relativeError(found['out.0']!, expected['out.0']!)).toBeLessThan(2e-6);
});

/** `[batch, length, heads, parts, size]` as parts of `[batch, length, heads · size]`; others as they are. */
function unpacked(t: Tensor): Tensor[] {
  const [batch, length, count, parts = 1, size = 1] = t.shape as [number, number, number];
  if (t.shape.length !== 5) return [t];
  return Array.from({ length: parts }, (_, part) => {
    const data = t.data.filter((__, i) => Math.floor(i / size) % parts === part);
    return { shape: [batch, length, count * size], data };
  });
}

test('a form that is not known stays, and is named', async () => {
  const slots = [x(2, 5, 12), floats(12, 36), floats(36)];
  const attributes = { num_heads: 3, do_rotary: 1 };
  const graph = await resolved(modelOf({ operator: 'Attention', name: '', slots, attributes }, 17));
  expect(foreignIn(graph)).toEqual(['Attention']);
  expect(() => differentiate(graph)).toThrow('com.microsoft.Attention');
});

test('every operator has a case', () => {
  expect([...new Set(cases.map((c) => c.operator))].sort()).toEqual(fusedOperators);
});
