/**
 * Law cases of quantized values. Their steps are as long as those of the differences, or an even part, so that rounding
 * changes nothing of what is compared; or what is beyond the range of the integers does not come back into it.
 */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { GraphBuilder } from '../../../src/onnx/builder.ts';
import { dtypes, type DType } from '../../../src/onnx/dtype.ts';
import type { Value } from '../../../src/onnx/graph.ts';
import { sizeOf } from '../../../src/tensor/tensor.ts';
import type { LawCase } from '../law.ts';
import { apart } from './case.ts';

const unit = 2 ** -6;

/** `n` different multiples of the unit. */
const onLattice = (n: number): number[] => apart(n, unit).map((v) => v + unit / 2);

const zero = (b: GraphBuilder, dtype: DType, at = 0): Value => b.constant(at, dtype);

/** To integers and back, which may be moved about in between. */
function there(
  b: GraphBuilder,
  x: Value,
  and: (integers: Value) => Value = (v) => v,
  { dtype = 'int8', at = 0, gain = 1 }: { dtype?: DType; at?: number; gain?: number } = {},
): Value {
  const point = zero(b, dtype, at);
  const integers = b.op('QuantizeLinear', [x, b.constant(unit), point]);
  return b.op('DequantizeLinear', [and(integers), b.constant(unit * gain), point]);
}

const onIntegers = (
  operator: string,
  name: string,
  shape: number[],
  and: (b: GraphBuilder, integers: Value) => Value,
): LawCase => ({
  operator,
  name: `${name} on integers`,
  inputs: { x: { shape, values: onLattice(sizeOf(shape)) } },
  build: (b, { x }) => there(b, x as Value, (v) => and(b, v)),
});

/**
 * The two values at the end make the range of the others that of bytes in units: where it followed
 * from x, differences would see it change.
 */
function dynamic(b: GraphBuilder, x: Value): { integers: Value; scale: Value; point: Value } {
  const n = sizeOf(x.shape);
  const ends = b.constant([-128 * unit, 127 * unit]);
  const all = b.op('Concat', [b.reshape(x, [n]), ends], { axis: 0 });
  const [bytes, scale, point] = b.ops('DynamicQuantizeLinear', [all], {}, 3);
  const kept = b.op('Slice', [bytes, b.ints([0]), b.ints([n])]);
  return { integers: b.reshape(kept, x.shape), scale: scale!, point: point! };
}

/** A product of integers, as dynamic quantization writes it: both scales are multiplied in after it. */
function integerProduct(
  operator: string,
  name: string,
  [left, right]: [number[], number[]],
  attributes: Attributes = {},
): LawCase {
  return {
    operator,
    name,
    inputs: {
      x: { shape: left, values: onLattice(sizeOf(left)) },
      w: { shape: right, values: onLattice(sizeOf(right)) },
    },
    build: (b, { x, w }) => {
      const [a, c] = [dynamic(b, x as Value), dynamic(b, w as Value)];
      const sum = b.op(operator, [a.integers, c.integers, a.point, c.point], attributes);
      return b.mul(b.cast(sum, 'float32'), b.mul(a.scale, c.scale));
    },
  };
}

/** By constants in each of the types, with a zero point each for rows or filters. */
function constantProduct(
  operator: string,
  name: string,
  shape: number[],
  weights: { values: number[]; shape: number[]; points: number[] },
  attributes: Attributes = {},
): LawCase {
  return {
    operator,
    name,
    inputs: { x: { shape, values: onLattice(sizeOf(shape)) } },
    build: (b, { x }) => {
      const { integers, scale, point } = dynamic(b, x as Value);
      const w = b.constant(weights.values, 'int8', weights.shape);
      const points = b.constant(weights.points, 'int8');
      const sum = b.op(operator, [integers, w, point, points], attributes);
      return b.mul(b.cast(sum, 'float32'), scale);
    },
  };
}

/** A product whose result is rounded too; weights are whole numbers, so that it is on the lattice. */
function roundedProduct(
  operator: string,
  name: string,
  shape: number[],
  weights: { values: number[]; shape: number[]; scales?: number[]; bias?: number[] },
  attributes: Attributes = {},
): LawCase {
  return {
    operator,
    name,
    inputs: { x: { shape, values: onLattice(sizeOf(shape)) } },
    build: (b, { x }) => {
      const [scale, point] = [b.constant(unit), zero(b, 'uint8', 128)];
      const scales = b.constant(weights.scales ?? 1);
      const points = b.constant(weights.scales?.map(() => 0) ?? 0, 'int8');
      const integers = b.op('QuantizeLinear', [x, scale, point]);
      const w = b.constant(weights.values, 'int8', weights.shape);
      const bias = weights.bias && b.constant(weights.bias, 'int32');
      const operands = [integers, scale, point, w, scales, points, scale, point, bias];
      const y = b.op(operator, operands, attributes);
      return b.op('DequantizeLinear', [y, scale, point]);
    },
  };
}

/** Two computed matrices, one of whole numbers, so that the product is on the lattice. */
const roundedMatrices = (
  name: string,
  by: string,
  [left, right]: [number[], number[]],
): LawCase => ({
  operator: 'QLinearMatMul',
  name,
  inputs: { x: { shape: [2, 3], values: left }, w: { shape: [3, 2], values: right } },
  wrt: [by],
  build: (b, { x, w }) => {
    const [scale, point] = [b.constant(unit), zero(b, 'int8')];
    const [a, c] = [x, w].map((v) => b.op('QuantizeLinear', [v, scale, point]));
    const operands = [a, scale, point, c, scale, point, scale, point];
    return b.op('DequantizeLinear', [b.op('QLinearMatMul', operands), scale, point]);
  },
});

export const quantization: LawCase[] = [
  {
    operator: 'QuantizeLinear',
    name: 'with a sign',
    inputs: { x: { shape: [2, 3, 4], values: onLattice(24) } },
    build: (b, { x }) => there(b, x as Value),
  },
  {
    operator: 'QuantizeLinear',
    name: 'without a sign',
    inputs: { x: { shape: [2, 3, 4], values: onLattice(24) } },
    build: (b, { x }) => there(b, x as Value, undefined, { dtype: 'uint8', at: 100 }),
  },
  {
    operator: 'QuantizeLinear',
    name: 'no zero point',
    inputs: { x: { shape: [6], values: onLattice(6).map((v) => v + 1) } },
    build: (b, { x }) => {
      const integers = b.op('QuantizeLinear', [x, b.constant(unit)]);
      return b.op('DequantizeLinear', [integers, b.constant(unit)]);
    },
  },
  {
    operator: 'QuantizeLinear',
    name: 'beyond the range',
    inputs: { x: { shape: [6], values: [-3, -2.5, -0.5, 0.25, 2.5, 3] } },
    build: (b, { x }) => there(b, x as Value),
  },
  {
    operator: 'QuantizeLinear',
    name: '16 bits',
    inputs: { x: { shape: [6], values: [-30, -2.5, -0.5, 0.25, 2.5, 31] } },
    opset: 21,
    build: (b, { x }) => there(b, x as Value, undefined, { dtype: 'int16', at: -3 }),
  },
  ...[1, -1, 0].map((axis): LawCase => ({
    operator: 'QuantizeLinear',
    name: `a scale for each place along axis ${axis}`,
    inputs: { x: { shape: [3, 3, 3], values: onLattice(27) } },
    build: (b, { x }) => {
      const scale = b.constant([unit, unit / 2, unit / 4]);
      const point = b.constant([0, 5, -7], 'int8');
      const integers = b.op('QuantizeLinear', [x, scale, point], { axis });
      return b.op('DequantizeLinear', [integers, scale, point], { axis });
    },
  })),
  {
    operator: 'DequantizeLinear',
    name: 'by another scale',
    inputs: { x: { shape: [2, 5], values: onLattice(10) } },
    build: (b, { x }) => there(b, x as Value, undefined, { gain: 3 }),
  },
  onIntegers('Reshape', 'rows', [2, 6], (b, v) => b.reshape(v, [3, 4])),
  onIntegers('Transpose', 'turned', [2, 6], (b, v) => b.transpose(v, [1, 0])),
  onIntegers('Concat', 'twice', [2, 6], (b, v) => b.op('Concat', [v, v], { axis: 1 })),
  onIntegers('Slice', 'a part', [2, 6], (b, v) =>
    b.op('Slice', [v, b.ints([1]), b.ints([4]), b.ints([1])]),
  ),
  onIntegers('Split', 'parts', [2, 6], (b, v) => {
    const [left, right] = b.split(v, [2, 4], 1) as [Value, Value];
    return b.op('Concat', [right, left], { axis: 1 });
  }),
  onIntegers('Split', 'one of its parts', [2, 6], (b, v) => b.split(v, [2, 4], 1)[1] as Value),
  onIntegers('Pad', 'the zero point around', [2, 6], (b, v) =>
    b.op('Pad', [v, b.ints([0, 1, 1, 2]), b.constant(0, 'int8')]),
  ),
  onIntegers('Gather', 'some twice', [3, 4], (b, v) =>
    b.op('Gather', [v, b.ints([2, 0, 2])], { axis: 1 }),
  ),
  onIntegers('Resize', 'copies', [1, 2, 3, 2], (b, v) =>
    b.op('Resize', [v, undefined, b.constant([1, 1, 2, 2])], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    }),
  ),
  {
    operator: 'MaxPool',
    name: 'windows on integers',
    // So far apart that the largest of a window stays the largest.
    inputs: { x: { shape: [1, 1, 4, 4], values: apart(16, 8 * unit).map((v) => v + unit / 2) } },
    build: (b, { x }) =>
      there(b, x as Value, (v) => b.op('MaxPool', [v], { kernel_shape: [2, 2], strides: [2, 2] })),
  },
  onIntegers('Expand', 'copies', [1, 6], (b, v) => b.expand(v, [3, 6])),
  onIntegers('Identity', 'another name', [6], (b, v) => b.op('Identity', [v])),
  {
    operator: 'Cast',
    name: 'of integers',
    inputs: { x: { shape: [6], values: onLattice(6) } },
    build: (b, { x }) => {
      const integers = b.op('QuantizeLinear', [x, b.constant(unit), zero(b, 'int8')]);
      return b.op('Cast', [integers], { to: dtypes.float32.code });
    },
  },
  {
    operator: 'DynamicQuantizeLinear',
    name: 'and back',
    inputs: { x: { shape: [2, 5], values: onLattice(10) } },
    build: (b, { x }) => {
      const { integers, scale, point } = dynamic(b, x as Value);
      return b.op('DequantizeLinear', [integers, scale, point]);
    },
  },
  integerProduct('MatMulInteger', 'matrices', [
    [3, 4],
    [4, 2],
  ]),
  integerProduct('MatMulInteger', 'batches', [
    [2, 3, 4],
    [2, 4, 2],
  ]),
  constantProduct('MatMulInteger', 'a zero point for each column', [3, 4], {
    values: [3, -2, 1, 0, 5, 4, -1, 2],
    shape: [4, 2],
    points: [1, -2],
  }),
  integerProduct('ConvInteger', 'images', [
    [2, 2, 4, 4],
    [3, 2, 3, 3],
  ]),
  integerProduct(
    'ConvInteger',
    'strides and uneven pads',
    [
      [1, 2, 5, 6],
      [2, 2, 3, 2],
    ],
    { strides: [2, 1], pads: [1, 0, 2, 1] },
  ),
  constantProduct(
    'ConvInteger',
    'groups',
    [1, 2, 4, 4],
    { values: [1, -2, 3, 0, 2, 1, -1, 4], shape: [2, 1, 2, 2], points: [0] },
    { group: 2, pads: [1, 1, 0, 0] },
  ),
  roundedProduct('QLinearMatMul', 'a constant matrix', [2, 3], {
    values: [1, 0, -1, 2, 1, -1],
    shape: [3, 2],
  }),
  roundedMatrices('both computed', 'x', [onLattice(6), [1, 0, -1, 1, 1, -1]]),
  roundedMatrices('by what is on the right', 'w', [[1, 0, -1, 1, -1, 1], onLattice(6)]),
  roundedProduct(
    'QLinearConv',
    'with a bias',
    [1, 2, 4, 4],
    { values: [1, 0, 0, 1, 0, -1, 1, 0], shape: [1, 2, 2, 2], bias: [5] },
    { kernel_shape: [2, 2], pads: [1, 1, 0, 0] },
  ),
  roundedProduct('QLinearConv', 'a scale for each filter', [1, 1, 3, 3], {
    values: [1, 0, 0, 1, 1, 1, 0, -1],
    shape: [2, 1, 2, 2],
    scales: [1, 2],
  }),
];
