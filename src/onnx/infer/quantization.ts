/** Output types of operators on quantized values. */
import type { DType } from '../dtype.ts';
import { need, type Infer } from './infer.ts';
import { linear } from './linear.ts';

/** That of the zero point, or bytes without a sign. */
const quantized = (zero: { dtype: DType } | undefined): DType => zero?.dtype ?? 'uint8';

/** The shape that a product of floats has, of the operands in two slots. */
const product =
  (operator: string, dtype: (c: Parameters<Infer>[0]) => DType, slots = [0, 1]): Infer =>
  (c) => {
    const inputs = slots.map((slot) => need(c, slot));
    const [type] = (linear[operator] as Infer)({ ...c, inputs });
    return type ? [{ ...type, dtype: dtype(c) }] : [];
  };

const int32 = (): DType => 'int32';

export const quantization: Record<string, Infer> = {
  QuantizeLinear: (c) => [{ dtype: quantized(c.inputs[2]), shape: need(c, 0).shape }],
  DequantizeLinear: (c) => [{ dtype: need(c, 1).dtype, shape: need(c, 0).shape }],
  DynamicQuantizeLinear: (c) => {
    const { shape } = need(c, 0);
    const types = [
      { dtype: 'uint8', shape },
      { dtype: 'float32', shape: [] },
      { dtype: 'uint8', shape: [] },
    ] as const;
    return types.slice(0, c.outputs);
  },
  MatMulInteger: product('MatMul', int32),
  ConvInteger: product('Conv', int32),
  QLinearMatMul: product('MatMul', (c) => quantized(c.inputs[7]), [0, 3]),
  QLinearConv: product('Conv', (c) => quantized(c.inputs[7]), [0, 3]),
};
