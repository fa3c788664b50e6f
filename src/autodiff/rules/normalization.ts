/**
 * Gradients of normalizations. x̂: the normalized input, inv: the inverse deviation that it was
 * multiplied by, g: gradient of the output.
 */
import { floatAttr, intAttr, intsAttr } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { sizeOf } from '../../tensor/tensor.ts';
import { derivedFloats, isFilledWith } from '../derived.ts';
import { rule, unless, writtenAs, type RuleContext, type RuleTable } from '../rule.ts';

export interface Normalized {
  readonly xHat: Value;
  readonly inv: Value;
}

const mean = (b: GraphBuilder, v: Value, axes: readonly number[]): Value =>
  b.reduce('Mean', v, axes);

/** `inv (g − x̂ mean(g x̂) − mean g)`, where the forward pass subtracted the mean. */
function centred(
  b: GraphBuilder,
  g: Value,
  { xHat, inv }: Normalized,
  axes: readonly number[],
): Value {
  const along = b.mul(xHat, mean(b, b.mul(g, xHat), axes));
  return b.mul(b.sub(b.sub(g, along), mean(b, g, axes)), inv);
}

/** `inv (g − x̂ mean(g x̂))`, where it did not. */
function uncentred(
  b: GraphBuilder,
  g: Value,
  { xHat, inv }: Normalized,
  axes: readonly number[],
): Value {
  return b.mul(b.sub(g, b.mul(xHat, mean(b, b.mul(g, xHat), axes))), inv);
}

/** x̂ and inv over `axes` once more, for operators that do not give them. */
function recomputed(c: RuleContext, x: Value, axes: number[], centre: boolean): Normalized {
  const { b } = c;
  const deviation = centre ? b.sub(x, mean(b, x, axes)) : x;
  const variance = mean(b, b.mul(deviation, deviation), axes);
  const epsilon = b.scalar(floatAttr(c.node, 'epsilon', 1e-5), x);
  const inv = b.op('Reciprocal', [b.op('Sqrt', [b.add(variance, epsilon)])]);
  return { xHat: b.mul(deviation, inv), inv };
}

/** `g` times a scale that is spread to `shape`, unless it is one throughout. */
function scaled(c: RuleContext, g: Value, slot: number, shape: readonly number[]): Value {
  if (isFilledWith(c.initializer(slot), 1)) return g;
  return c.b.mul(g, c.b.reshape(c.input(slot) as Value, shape));
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

/** Every axis but the channels'. */
const besideChannels = (rank: number): number[] => [0, ...range(2, rank)];

/** `[C,1,...]`: one number a channel beside a tensor of that rank. */
const perChannel = (v: Value, rank: number): number[] => [
  sizeOf(v.shape),
  ...new Array<number>(rank - 2).fill(1),
];

// InstanceNormalization: over all but batch and channels.

const instance = (c: RuleContext): Normalized & { axes: number[] } =>
  c.shared('normalized', () => {
    const axes = range(2, c.x.shape.length);
    return { ...recomputed(c, c.x, axes, true), axes };
  });

function instanceInput(c: RuleContext): Value {
  const normalized = instance(c);
  const g = scaled(c, c.g, 1, perChannel(c.w, c.x.shape.length));
  return centred(c.b, g, normalized, normalized.axes);
}

// LayerNormalization: over the last axes, with its statistics as optional outputs.

export function layer(c: RuleContext): Normalized & { axes: number[] } {
  const { b, x, y } = c;
  return c.shared('normalized', () => {
    const rank = x.shape.length;
    const named = intAttr(c.node, 'axis', -1);
    const axis = named < 0 ? named + rank : named;
    const statistic = (slot: number): Value =>
      b.cast(
        c.output(slot, { dtype: 'float32', shape: x.shape.map((d, i) => (i < axis ? d : 1)) }),
        x.dtype,
      );
    const inv = statistic(2);
    const biased = c.input(2) !== undefined && !isFilledWith(c.initializer(2), 0);
    const plain = isFilledWith(c.initializer(1), 1) && !biased;
    const xHat = plain ? y : b.mul(b.sub(x, statistic(1)), inv);
    return { xHat, inv, axes: range(axis, rank) };
  });
}

function layerInput(c: RuleContext): Value {
  const normalized = layer(c);
  return centred(c.b, scaled(c, c.g, 1, c.w.shape), normalized, normalized.axes);
}

// GroupNormalization, on [N, groups, channels a group, elements a channel].

function grouped(c: RuleContext): Normalized & { groups: Value; g: Value; scale: number[] } {
  const { b, x, w } = c;
  return c.shared('grouped', () => {
    const [n = 1, channels = 1, ...rest] = x.shape;
    const count = intAttr(c.node, 'num_groups', 1);
    const shape = [n, count, channels / count, sizeOf(rest)];
    const groups = b.reshape(x, shape);
    // One number a group up to opset 20, one a channel since.
    const scale = [count, sizeOf(w.shape) / count, 1];
    return { ...recomputed(c, groups, [2, 3], true), groups, g: b.reshape(c.g, shape), scale };
  });
}

function groupInput(c: RuleContext): Value {
  const normalized = grouped(c);
  const g = scaled(c, normalized.g, 1, normalized.scale);
  return c.b.reshape(centred(c.b, g, normalized, [2, 3]), c.x.shape);
}

function groupParameter(c: RuleContext, contribution: Value): Value {
  const axes = grouped(c).scale[1] === 1 ? [0, 2, 3] : [0, 3];
  return c.b.reshape(c.b.reduce('Sum', contribution, axes), c.w.shape);
}

// RMSNormalization: over the last axes, without the mean.

const rootMeanSquare = (c: RuleContext): Normalized & { axes: number[] } =>
  c.shared('normalized', () => {
    const rank = c.x.shape.length;
    const named = intAttr(c.node, 'axis', -1);
    const axes = range(named < 0 ? named + rank : named, rank);
    return { ...recomputed(c, c.x, axes, false), axes };
  });

function rmsInput(c: RuleContext): Value {
  const normalized = rootMeanSquare(c);
  return uncentred(c.b, scaled(c, c.g, 1, c.w.shape), normalized, normalized.axes);
}

// BatchNormalization at inference: an affine map of each channel.

/** 1/√(variance + ε), a channel. */
function batchInverse(c: RuleContext): Value {
  const { b } = c;
  const variance = c.input(4) as Value;
  const epsilon = b.scalar(floatAttr(c.node, 'epsilon', 1e-5), variance);
  return b.op('Reciprocal', [b.op('Sqrt', [b.add(variance, epsilon)])]);
}

function batchInput(c: RuleContext): Value {
  const { b, g, w } = c;
  return b.mul(g, b.reshape(b.mul(w, batchInverse(c)), perChannel(w, g.shape.length)));
}

function batchScale(c: RuleContext): Value {
  const { b, g, x } = c;
  const column = perChannel(c.w, x.shape.length);
  const deviation = b.sub(x, b.reshape(c.input(3) as Value, column));
  const sum = b.reduce('Sum', b.mul(g, deviation), besideChannels(x.shape.length), false);
  return b.mul(sum, batchInverse(c));
}

function batchMean(c: RuleContext): Value {
  const { b, g, w } = c;
  return b.neg(b.mul(channelSum(c, g), b.mul(w, batchInverse(c))));
}

/** d/dv (x − m) w/√(v + ε) = −(x − m) w/√(v + ε)³ / 2. */
function batchVariance(c: RuleContext): Value {
  const { b, w } = c;
  const inverse = batchInverse(c);
  return b.scale(b.mul(b.mul(batchScale(c), w), b.mul(inverse, inverse)), -0.5);
}

const training = ({ node }: NodeView): string | undefined =>
  intAttr(node, 'training_mode', 0) ? 'training_mode takes statistics of the batch' : undefined;

// LpNormalization: y = x / n with n = Σ|x| or √Σx².

function lpInput(c: RuleContext): Value {
  const { b, g, x, y, node } = c;
  const p = intAttr(node, 'p', 2);
  const axes = [intAttr(node, 'axis', -1)];
  const norm = b.reduce(p === 1 ? 'L1' : 'L2', x, axes);
  const along = b.reduce('Sum', b.mul(g, y), axes);
  const direction = p === 1 ? b.op('Sign', [x]) : y;
  // Zeros stay zeros; a floor keeps their gradient finite.
  return b.div(b.sub(g, b.mul(direction, along)), b.op('Max', [norm, b.scalar(1e-30, x)]));
}

/** MeanVarianceNormalization, as its function body in ONNX has it. */
function meanVariance(b: GraphBuilder, { node, x }: NodeView): Value[] {
  const axes = intsAttr(node, 'axes') ?? [0, 2, 3];
  const apart = b.sub(x, mean(b, x, axes));
  const deviation = b.op('Sqrt', [mean(b, b.mul(apart, apart), axes)]);
  return [b.div(apart, b.add(deviation, b.scalar(1e-9, x)))];
}

/** LRN: y = x / (bias + α/size Σ x²)^β, the sum over the channels around (Krizhevsky et al. 2012, 3.3). */
function acrossChannels(b: GraphBuilder, { node, x }: NodeView): Value[] {
  const [n = 1, channels = 1, ...sizes] = x.shape;
  // An odd number: ONNX Runtime has no kernel for others.
  const size = intAttr(node, 'size', 1);
  const band = derivedFloats(b, `band[${channels}]${size}`, [channels, channels], () =>
    Float32Array.from({ length: channels ** 2 }, (_, i) => {
      const apart = Math.abs((i % channels) - Math.floor(i / channels));
      return Number(2 * apart < size);
    }),
  );
  const squares = b.reshape(b.mul(x, x), [n, channels, sizeOf(sizes)]);
  const sums = b.reshape(b.matMul(b.cast(band, x.dtype), squares), x.shape);
  const scaled = b.scale(sums, floatAttr(node, 'alpha', 1e-4) / size);
  const base = b.add(scaled, b.scalar(floatAttr(node, 'bias', 1), x));
  return [b.mul(x, b.op('Pow', [base, b.scalar(-floatAttr(node, 'beta', 0.75), x)]))];
}

const channelSum = (c: RuleContext, v: Value): Value =>
  c.b.reduce('Sum', v, besideChannels(v.shape.length), false);

export const normalization: RuleTable = {
  InstanceNormalization: rule(
    instanceInput,
    (c) => channelSum(c, c.b.mul(c.g, instance(c).xHat)),
    (c) => channelSum(c, c.g),
  ),
  LayerNormalization: rule(
    layerInput,
    (c) => c.b.mul(c.g, layer(c).xHat),
    ({ g }) => g,
  ),
  GroupNormalization: rule(
    groupInput,
    (c) => groupParameter(c, c.b.mul(grouped(c).g, grouped(c).xHat)),
    (c) => groupParameter(c, grouped(c).g),
  ),
  RMSNormalization: rule(rmsInput, (c) => c.b.mul(c.g, rootMeanSquare(c).xHat)),
  BatchNormalization: unless(
    training,
    rule(batchInput, batchScale, (c) => channelSum(c, c.g), batchMean, batchVariance),
  ),
  LpNormalization: rule(lpInput),
  LRN: writtenAs([0], acrossChannels),
  MeanVarianceNormalization: writtenAs([0], meanVariance),
};
