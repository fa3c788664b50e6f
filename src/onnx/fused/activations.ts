/** Activations that ONNX Runtime fuses, alone or at the end of something else. */
import { floatAttr, intAttr } from '../attributes.ts';
import type { GraphBuilder } from '../builder.ts';
import type { Value } from '../graph.ts';
import type { Standard } from './standard.ts';

/** x Φ(x). */
export function gelu(b: GraphBuilder, x: Value): Value {
  if (b.graph.opset >= 20) return b.op('Gelu', [x]);
  const bell = b.op('Erf', [b.scale(x, Math.SQRT1_2)]);
  return b.mul(b.scale(x, 0.5), b.add(bell, b.scalar(1, x)));
}

/** The same to about 1e-3, by tanh (Hendrycks & Gimpel 2016, arXiv 1606.08415, section 2). */
function fastGelu(b: GraphBuilder, x: Value): Value {
  if (b.graph.opset >= 20) return b.op('Gelu', [x], { approximate: 'tanh' });
  const cubic = b.scale(b.mul(b.mul(x, x), x), 0.044715);
  const bell = b.op('Tanh', [b.scale(b.add(x, cubic), Math.sqrt(2 / Math.PI))]);
  return b.mul(b.scale(x, 0.5), b.add(bell, b.scalar(1, x)));
}

/** With what is added before, where that is there. */
export const plus = (b: GraphBuilder, x: Value, added: Value | undefined): Value =>
  added ? b.add(x, added) : x;

/** What an activation at the end of something is called, with its numbers. */
interface Activation {
  readonly name: string;
  readonly alpha: number | undefined;
  readonly beta: number | undefined;
}

const plain = new Set(['Relu', 'Sigmoid', 'Tanh', 'Softplus', 'Softsign', 'HardSwish']);
const ofNumbers = new Set(['LeakyRelu', 'HardSigmoid', 'Elu', 'ThresholdedRelu']);

/** `x` with an activation applied; undefined for one that is not known. */
export function activated(
  b: GraphBuilder,
  x: Value,
  { name, alpha, beta }: Activation,
): Value | undefined {
  if (name === '') return x;
  if (plain.has(name)) return b.op(name, [x]);
  if (ofNumbers.has(name)) return b.op(name, [x], { alpha, ...(beta !== undefined && { beta }) });
  return name === 'Clip' && alpha !== undefined && beta !== undefined
    ? b.op('Clip', [x, b.scalar(alpha, x), b.scalar(beta, x)])
    : undefined;
}

export const activations: Readonly<Record<string, Standard>> = {
  Gelu: (b, v) => [gelu(b, v.x)],
  BiasGelu: (b, v) => [gelu(b, b.add(v.x, v.w))],
  FastGelu: (b, v) => [fastGelu(b, plus(b, v.x, v.input(1)))],
  QuickGelu: (b, { x, node }) => {
    const gate = b.op('Sigmoid', [b.scale(x, floatAttr(node, 'alpha', 1.702))]);
    return [b.mul(x, gate)];
  },
  Trilu: (b, v) => {
    const upper = intAttr(v.node, 'upper', 1);
    return [b.op('Trilu', [v.x, v.input(1)], { upper })];
  },
};
