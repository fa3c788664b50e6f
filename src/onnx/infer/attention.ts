/** Output types of attention. */
import { same } from './elementwise.ts';
import { intOf, need, type Infer } from './infer.ts';

/** The queries' shape with the values' width, heads packed into the last axis or on their own. */
const scaledDotProduct: Infer = (c) => {
  const [q, v] = [need(c, 0), need(c, 2)];
  const width = v.shape.at(-1) as number;
  const packed = q.shape.length === 3;
  const share = packed ? intOf(c, 'q_num_heads', 1) / intOf(c, 'kv_num_heads', 1) : 1;
  return [{ dtype: q.dtype, shape: q.shape.with(-1, width * share) }];
};

export const attention: Record<string, Infer> = {
  Attention: scaledDotProduct,
  RotaryEmbedding: same,
};
