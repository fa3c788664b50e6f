/** Output types of reductions and normalizations. */
import { axisOf, intOf, intsOf, need, stringOf, type Infer } from './infer.ts';
import { same } from './elementwise.ts';

/** An attribute of reductions: no axes then stand for none rather than for all. */
export const noop = 'noop_with_empty_axes';

/** The axes that a reduction over `named` ones reduces, non-negative. */
export function reducedAxes(
  rank: number,
  named: readonly number[] | undefined,
  noopIfEmpty: boolean,
): number[] {
  if (named?.length) return named.map((a) => axisOf(a, rank));
  return noopIfEmpty ? [] : Array.from({ length: rank }, (_, i) => i);
}

const reduce: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  const axes = new Set(
    reducedAxes(shape.length, intsOf(c, 'axes') ?? c.constant(1), intOf(c, noop, 0) === 1),
  );
  const keep = intOf(c, 'keepdims', 1) === 1;
  return [{ dtype, shape: shape.flatMap((d, i) => (axes.has(i) ? (keep ? [1] : []) : [d])) }];
};

/** ArgMax and ArgMin. */
const extremePosition: Infer = (c) => {
  const { shape } = need(c, 0);
  const axis = axisOf(intOf(c, 'axis', 0), shape.length);
  const keep = intOf(c, 'keepdims', 1) === 1;
  return [{ dtype: 'int64', shape: shape.toSpliced(axis, 1, ...(keep ? [1] : [])) }];
};

const layerNormalization: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  const axis = axisOf(intOf(c, 'axis', -1), shape.length);
  const stat = { dtype: 'float32', shape: shape.map((d, i) => (i < axis ? d : 1)) } as const;
  return [{ dtype, shape }, stat, stat].slice(0, c.outputs);
};

/** Losses of classification: one number, or one a label; and the logarithms of the probabilities. */
const classLoss: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  const reduced = stringOf(c, 'reduction', 'mean') !== 'none';
  const loss = { dtype, shape: reduced ? [] : need(c, 1).shape };
  return [loss, { dtype, shape }].slice(0, c.outputs);
};

export const reduction: Record<string, Infer> = {
  ...Object.fromEntries(
    ['Sum', 'Mean', 'L1', 'L2', 'SumSquare', 'LogSum', 'LogSumExp', 'Max', 'Min', 'Prod'].map(
      (op) => [`Reduce${op}`, reduce],
    ),
  ),
  ArgMax: extremePosition,
  ArgMin: extremePosition,
  InstanceNormalization: same,
  GroupNormalization: same,
  BatchNormalization: same,
  RMSNormalization: same,
  LpNormalization: same,
  LRN: same,
  MeanVarianceNormalization: same,
  NegativeLogLikelihoodLoss: classLoss,
  SoftmaxCrossEntropyLoss: classLoss,
  LayerNormalization: layerNormalization,
};
