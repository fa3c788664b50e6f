/** Short-hands that law cases share. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { GraphBuilder } from '../../../src/onnx/builder.ts';
import type { Value } from '../../../src/onnx/graph.ts';
import { noiseKey, uniforms } from '../../../src/tensor/noise.ts';
import type { LawCase } from '../law.ts';

/** Everything of a case on one input x that is not said by operator, name and shape. */
export interface Details {
  attributes?: Attributes;
  /** The inputs after x. */
  rest?: (b: GraphBuilder) => (Value | undefined)[];
  opset?: number;
  low?: number;
  high?: number;
  values?: number[];
}

/** One node on x. */
export function onX(
  operator: string,
  name: string,
  shape: number[],
  { attributes, rest, opset = 17, ...range }: Details = {},
): LawCase {
  return {
    name: opset === 17 ? name : `${name}, opset ${opset}`,
    operator,
    inputs: { x: { shape, ...range } },
    opset,
    build: (b, { x }) => b.op(operator, [x, ...(rest?.(b) ?? [])], attributes),
  };
}

/**
 * `n` numbers around 0 in an order that looks random, all `gap` apart and none nearer to 0 than
 * half of that: safe for operators with kinks at 0 or where two elements are equal.
 */
export function apart(n: number, gap = 0.25): number[] {
  const keys = uniforms(noiseKey(n, 'apart'), 'x_T', 0, n);
  const order = [...keys.keys()].sort((i, j) => (keys[i] as number) - (keys[j] as number));
  return order.map((k) => (k - Math.floor(n / 2) + 0.5) * gap);
}

/** Weights without symmetry. */
export const wave = (n: number): number[] =>
  Array.from({ length: n }, (_, i) => Math.sin(1.7 * i + 0.3));

export const ints =
  (...lists: (number | number[])[]) =>
  (b: GraphBuilder): Value[] =>
    lists.map((list) => b.ints(list));
