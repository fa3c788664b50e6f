/** Attention's heads: beside each other in the last axis, or on an axis of their own. */
import type { GraphBuilder } from './builder.ts';
import type { Value } from './graph.ts';

/** What stands for a score that does not count: the lowest of float32. */
export const lowestScore = -3.4028234663852886e38;

/** `[batch, length, heads · size]` as `[batch, heads, length, size]`. */
export function headsApart(b: GraphBuilder, x: Value, heads: number): Value {
  const [batch = 1, length = 1, width = 1] = x.shape;
  return b.transpose(b.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** The inverse. */
export function headsTogether(b: GraphBuilder, x: Value): Value {
  const [batch = 1, heads = 1, length = 1, size = 1] = x.shape;
  return b.reshape(b.transpose(x, [0, 2, 1, 3]), [batch, length, heads * size]);
}
