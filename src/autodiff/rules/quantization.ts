/**
 * Gradients through 8-bit and 16-bit integers. Rounding is flat almost everywhere; gradients pass it as if it
 * were not there, and end where the range of the integers does: the straight-through estimator (Bengio,
 * Léonard & Courville 2013, arXiv 1308.3432). Gradients of integers are floats. Scales and zero points follow
 * from what is quantized and cancel out; they count as constants.
 */
import { NodeProtoSchema } from 'onnx-buf';
import { amend } from '../../onnx/amend.ts';
import { intAttr, plainAttributes } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import { integerRange } from '../../onnx/dtype.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import {
  passingIntegers,
  rule,
  RuleContext,
  unless,
  writtenAs,
  type Rule,
  type RuleTable,
} from '../rule.ts';
import { convolution } from './convolution.ts';
import { linear } from './linear.ts';

/** A scale or zero point, one number or one for each place along an axis, as it broadcasts with `x`. */
function along(b: GraphBuilder, v: Value, { shape }: Value, axis: number): Value {
  if (v.shape.length === 0) return v;
  const at = axis < 0 ? axis + shape.length : axis;
  return b.reshape(
    v,
    shape.map((_, i) => (i === at ? (v.shape[0] as number) : 1)),
  );
}

const scaleOf = ({ b, node, x, w }: RuleContext): Value => along(b, w, x, intAttr(node, 'axis', 1));

const inBlocks = ({ node }: NodeView): string | undefined =>
  intAttr(node, 'block_size', 0) > 0 ? 'its scales are those of blocks' : undefined;

/** g / scale where x/scale + zero is within half a unit of the integers that there are. */
function quantizedInput(c: RuleContext): Value {
  const { b, g, x, y, node } = c;
  const scale = b.cast(scaleOf(c), x.dtype);
  const zero = c.input(2);
  const scaled = b.div(x, scale);
  const places = zero
    ? b.add(scaled, b.cast(along(b, zero, x, intAttr(node, 'axis', 1)), x.dtype))
    : scaled;
  const { least, most } = integerRange(y.dtype);
  const above = b.op('GreaterOrEqual', [places, b.scalar(least - 0.5, x)]);
  const below = b.op('LessOrEqual', [places, b.scalar(most + 0.5, x)]);
  const inside = b.op('And', [above, below]);
  return b.op('Where', [inside, b.div(b.cast(g, x.dtype), scale), b.scalar(0, x)]);
}

/** The scale is that of the whole range, so that nothing is beyond it. */
function dynamicallyQuantizedInput({ b, gradients, node, graph, x }: RuleContext): Value {
  const [g] = gradients;
  const scale = graph.values.get(node.output[1] as string) as Value;
  return g ? b.div(g, scale) : b.zeros(x);
}

/** Integers less their zero point, as floats. */
function centred(b: GraphBuilder, v: Value, zero: Value | undefined): Value {
  const float = b.cast(v, 'float32');
  return zero ? b.sub(float, b.cast(zero, 'float32')) : float;
}

/** The rule of the float operator, on the operands that a product of integers stands for. */
function ofFloats(by: Rule | undefined, operands: (c: RuleContext) => [Value, Value]) {
  return (slot: number) =>
    (c: RuleContext): Value => {
      const { node, b, gradients, forms } = c;
      const input = c.shared('operands', () => operands(c)).map((v) => v.name);
      const float = new RuleContext(b, amend(NodeProtoSchema, node, { input }), gradients, forms);
      const gradient = by?.slot(slot);
      if (!gradient) throw new Error(`${node.opType}: no rule of floats for input ${slot}`);
      return gradient(float);
    };
}

/** Rows have a zero point each, or all the same; so have columns. */
const matrices = ofFloats(linear['MatMul'] as Rule, (c) => {
  const { b, x, w } = c;
  const [rows, columns] = [c.input(2), c.input(3)];
  const perRow = rows?.shape.length === 1 ? b.reshape(rows, [...rows.shape, 1]) : rows;
  return [centred(b, x, x.shape.length > 1 ? perRow : rows), centred(b, w, columns)];
});

const images = ofFloats(convolution['Conv'] as Rule, (c) => {
  const { b, x, w } = c;
  const zero = c.input(3);
  return [centred(b, x, c.input(2)), centred(b, w, zero && along(b, zero, w, 0))];
});

/** The inputs that QLinearMatMul and QLinearConv have alike: integers, scale and zero point of each. */
function operandsOf(v: NodeView): Record<'x' | 'w' | 'y', [Value, Value, Value]> {
  const from = (slot: number): [Value, Value, Value] =>
    [slot, slot + 1, slot + 2].map((i) => v.input(i)) as [Value, Value, Value];
  return { x: from(0), w: from(3), y: [v.y, v.input(6) as Value, v.input(7) as Value] };
}

// What the integers stand for, multiplied as floats and rounded to integers again.

const linearProduct = writtenAs([0, 3], (b, v) => {
  const { x, w, y } = operandsOf(v);
  const rows = { axis: Math.max(x[0].shape.length - 2, 0) };
  const columns = { axis: w[0].shape.length - 1 };
  const left = b.op('DequantizeLinear', x, rows);
  const right = b.op('DequantizeLinear', w, columns);
  return [b.op('QuantizeLinear', [b.matMul(left, right), y[1], y[2]], rows)];
});

const linearConvolution = writtenAs([0], (b, v) => {
  const { x, w, y } = operandsOf(v);
  const bias = v.input(8);
  const operands = [b.op('DequantizeLinear', x), b.op('DequantizeLinear', w, { axis: 0 })];
  if (bias) operands.push(b.op('DequantizeLinear', [bias, b.mul(x[1], w[1])], { axis: 0 }));
  const sum = b.op('Conv', operands, plainAttributes(v.node));
  return [b.op('QuantizeLinear', [sum, y[1], y[2]])];
});

export const quantization: RuleTable = {
  QuantizeLinear: unless(inBlocks, { ...rule(quantizedInput, null, null), integers: 'made' }),
  DynamicQuantizeLinear: {
    ...rule(dynamicallyQuantizedInput),
    allOutputs: true,
    integers: 'made',
  },
  DequantizeLinear: unless(
    inBlocks,
    passingIntegers(rule((c) => c.b.mul(c.g, scaleOf(c)), null, null)),
  ),
  MatMulInteger: passingIntegers(rule(matrices(0), matrices(1), null, null)),
  ConvInteger: passingIntegers(rule(images(0), images(1), null, null)),
  QLinearMatMul: passingIntegers(linearProduct),
  QLinearConv: passingIntegers(linearConvolution),
};
