/** Operators on 8-bit integers, written as floats that are rounded to integers again. */
import { floatAttr, intAttr, plainAttributes } from '../attributes.ts';
import type { GraphBuilder } from '../builder.ts';
import { dtypes } from '../dtype.ts';
import type { Value } from '../graph.ts';
import type { NodeView } from '../node-view.ts';
import { plus } from './activations.ts';
import type { Standard } from './standard.ts';

/** What integers stand for: themselves, scale and zero point are in three slots from `slot` on. */
function real(b: GraphBuilder, v: NodeView, slot: number): Value {
  const parts = [slot, slot + 1, slot + 2].map((i) => v.input(i));
  return b.op('DequantizeLinear', parts);
}

/** `y` as integers, by the scale and zero point in two slots. */
function rounded(b: GraphBuilder, v: NodeView, y: Value, slot: number): Value[] {
  return [b.op('QuantizeLinear', [y, v.input(slot), v.input(slot + 1)])];
}

/** Of two operands. */
const binary =
  (operator: string): Standard =>
  (b, v) =>
    rounded(b, v, b.op(operator, [real(b, v, 0), real(b, v, 3)]), 6);

/** Of one. */
const unary =
  (operator: string): Standard =>
  (b, v) =>
    rounded(b, v, b.op(operator, [real(b, v, 0)], plainAttributes(v.node)), 3);

/** The same with channels last, as some have it. */
const overImages =
  (operator: string): Standard =>
  (b, v) => {
    const { channels_last: last = 0, ...attributes } = plainAttributes(v.node);
    const x = real(b, v, 0);
    const y = b.op(operator, [last === 1 ? channelsFirst(b, x) : x], attributes);
    return rounded(b, v, last === 1 ? channelsLast(b, y) : y, 3);
  };

function channelsFirst(b: GraphBuilder, x: Value): Value {
  const last = x.shape.length - 1;
  return b.transpose(x, [0, last, ...[...x.shape.keys()].slice(1, last)]);
}

function channelsLast(b: GraphBuilder, x: Value): Value {
  return b.transpose(x, [0, ...[...x.shape.keys()].slice(2), 1]);
}

/** Before operator set 13 it normalized all axes from `axis` on; those of one axis are the same. */
const softmax: Standard = (b, v) => {
  const axis = intAttr(v.node, 'axis', -1);
  const last = axis === -1 || axis === v.x.shape.length - 1;
  if (!last && intAttr(v.node, 'opset', 13) < 13) return undefined;
  return rounded(b, v, b.op('Softmax', [real(b, v, 0)], { axis }), 3);
};

/** The first two inputs are what comes out is rounded by; each operand has three slots. */
const concat: Standard = (b, v) => {
  const operands = [];
  for (let slot = 2; slot < v.node.input.length; slot += 3) operands.push(real(b, v, slot));
  return rounded(b, v, b.op('Concat', operands, { axis: intAttr(v.node, 'axis', 0) }), 0);
};

const where: Standard = (b, v) =>
  rounded(b, v, b.op('Where', [v.x, real(b, v, 1), real(b, v, 4)]), 7);

const convolution: Standard = (b, v) => {
  const { channels_last: last = 0, ...attributes } = plainAttributes(v.node);
  const [x, ...rest] = v.node.input.map((_, slot) => v.input(slot));
  const first = last === 1 ? channelsFirst(b, x as Value) : x;
  const y = b.op('QLinearConv', [first, ...rest], attributes);
  return [last === 1 ? channelsLast(b, y) : y];
};

/** α (A B + C), where C has the scale of A's times B's; without a scale of its own the result stays real. */
const gemm: Standard = (b, v) => {
  const turned = (x: Value, name: string): Value =>
    intAttr(v.node, name, 0) === 1 ? b.swapLast(x) : x;
  const [scaleB, zeroB] = [v.input(4) as Value, v.input(5)];
  const [columns, each] = [intAttr(v.node, 'transB', 0) === 1 ? 0 : 1, scaleB.shape.length === 1];
  const right = b.op('DequantizeLinear', [v.input(3), scaleB, zeroB], { axis: each ? columns : 1 });
  const product = b.matMul(turned(real(b, v, 0), 'transA'), turned(right, 'transB'));
  const bias = v.input(6);
  const scale = b.mul(v.w, scaleB);
  const sum = plus(b, product, bias && b.mul(b.cast(bias, 'float32'), scale));
  const y = b.scale(sum, floatAttr(v.node, 'alpha', 1));
  return v.input(7) ? rounded(b, v, y, 7) : [y];
};

/** A product of integers with their zero points, as floats. */
function scaledProduct(
  b: GraphBuilder,
  operands: readonly (Value | undefined)[],
  scales: readonly [Value, Value],
  bias: Value | undefined,
): Value {
  const product = b.cast(b.op('MatMulInteger', operands), 'float32');
  return plus(b, b.mul(product, b.mul(...scales)), bias);
}

const integersToFloat: Standard = (b, v) => {
  const scales = [v.input(2) as Value, v.input(3) as Value] as const;
  return [scaledProduct(b, [v.x, v.w, v.input(4), v.input(5)], scales, v.input(6))];
};

/** The first operand is rounded as its range wants it. */
const dynamic: Standard = (b, v) => {
  const [bytes, scale, zero] = b.ops('DynamicQuantizeLinear', [v.x], {}, 3) as [
    Value,
    Value,
    Value,
  ];
  const scales = [scale, v.input(2) as Value] as const;
  return [scaledProduct(b, [bytes, v.w, zero, v.input(3)], scales, v.input(4))];
};

/** The standard operator of that name, where the graph's operator set has it for these types. */
const sameName: Standard = (b, v) => {
  const integers = v.node.opType === 'QuantizeLinear' ? v.y : v.x;
  if (dtypes[integers.dtype].bytes > 1 && b.graph.opset < 21) return undefined;
  const inputs = v.node.input.map((_, slot) => v.input(slot));
  return [b.op(v.node.opType, inputs, plainAttributes(v.node))];
};

export const quantized: Readonly<Record<string, Standard>> = {
  QLinearAdd: binary('Add'),
  QLinearMul: binary('Mul'),
  QLinearSigmoid: unary('Sigmoid'),
  QLinearLeakyRelu: unary('LeakyRelu'),
  QLinearSoftmax: softmax,
  QLinearAveragePool: overImages('AveragePool'),
  QLinearGlobalAveragePool: overImages('GlobalAveragePool'),
  QLinearConcat: concat,
  QLinearWhere: where,
  QLinearConv: convolution,
  QGemm: gemm,
  MatMulIntegerToFloat: integersToFloat,
  DynamicQuantizeMatMul: dynamic,
  QuantizeLinear: sameName,
  DequantizeLinear: sameName,
};
