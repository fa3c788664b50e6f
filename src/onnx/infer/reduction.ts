/** Output types of reductions and normalizations. */
import { axisOf, intOf, intsOf, need, type Infer } from './infer.ts';
import { same } from './elementwise.ts';

const reduce: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  const named = intsOf(c, 'axes') ?? c.constant(1);
  const axes = new Set(named?.length ? named.map((a) => axisOf(a, shape.length)) : shape.keys());
  const keep = intOf(c, 'keepdims', 1) === 1;
  return [{ dtype, shape: shape.flatMap((d, i) => (axes.has(i) ? (keep ? [1] : []) : [d])) }];
};

const layerNormalization: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  const axis = axisOf(intOf(c, 'axis', -1), shape.length);
  const stat = { dtype: 'float32', shape: shape.map((d, i) => (i < axis ? d : 1)) } as const;
  return [{ dtype, shape }, stat, stat].slice(0, c.outputs);
};

export const reduction: Record<string, Infer> = {
  ...Object.fromEntries(
    ['Sum', 'Mean', 'L1', 'L2', 'SumSquare', 'LogSumExp', 'Max', 'Min', 'Prod'].map((op) => [
      `Reduce${op}`,
      reduce,
    ]),
  ),
  InstanceNormalization: same,
  GroupNormalization: same,
  BatchNormalization: same,
  RMSNormalization: same,
  LpNormalization: same,
  LayerNormalization: layerNormalization,
};
