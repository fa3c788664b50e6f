/** Gradients of softmax and of attention. g: gradient of the output, y: the output. */
import { manyWeights } from '../../onnx/attention.ts';
import { floatAttr, intAttr, plainAttributes } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { headsApart, headsTogether, lowestScore } from '../../onnx/heads.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { showShape } from '../../tensor/tensor.ts';
import { inSlices, type Gradients } from '../attention-core.ts';
import { derived } from '../derived.ts';
import { rule, unless, type RuleContext, type RuleTable } from '../rule.ts';

/** `y (g − Σ g y)`, for any y that a softmax over `axis` gave. */
function throughSoftmax({ b }: RuleContext, y: Value, g: Value, axis: number): Value {
  return b.mul(y, b.sub(g, b.reduce('Sum', b.mul(g, y), [axis])));
}

const axisOf = ({ node }: NodeView): number => intAttr(node, 'axis', -1);

/** The sizes that an Attention node works with. */
interface Heads {
  readonly batch: number;
  readonly queryHeads: number;
  /** Fewer than query heads where several of those share one. */
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
}

function headsOf(c: NodeView): Heads {
  const { x, w, node } = c;
  const packed = x.shape.length === 3;
  const at = (v: Value, axis: number): number => v.shape[axis] as number;
  return {
    batch: at(x, 0),
    queryHeads: packed ? intAttr(node, 'q_num_heads', 1) : at(x, 1),
    keyHeads: packed ? intAttr(node, 'kv_num_heads', 1) : at(w, 1),
    queries: at(x, packed ? 1 : 2),
    keys: at(w, packed ? 1 : 2),
  };
}

/** `[batch, heads, length, size]`, of `[batch, length, heads · size]` where heads are packed. */
function unpack({ b }: RuleContext, v: Value, heads: number): Value {
  return v.shape.length === 4 ? v : headsApart(b, v, heads);
}

/** The inverse of `unpack` for a gradient of something shaped like `like`. */
function pack({ b }: RuleContext, v: Value, like: Value): Value {
  return like.shape.length === 4 ? v : headsTogether(b, v);
}

interface Operands {
  /** Queries, keys, values and g; queries that share a key head are rows of one matrix. */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly g: Value;
}

function operandsOf(c: RuleContext): Operands {
  const { queryHeads, keyHeads } = headsOf(c);
  return c.shared('operands', () => ({
    q: grouped(c, unpack(c, c.x, queryHeads)),
    k: unpack(c, c.w, keyHeads),
    v: unpack(c, c.input(2) as Value, keyHeads),
    g: grouped(c, unpack(c, c.g, queryHeads)),
  }));
}

function grouped(c: RuleContext, v: Value): Value {
  const { batch, queryHeads, keyHeads, queries } = headsOf(c);
  const rows = (queryHeads / keyHeads) * queries;
  return c.b.reshape(v, [batch, keyHeads, rows, v.shape.at(-1) as number]);
}

/** Gradients of q, kᵀ and v where there are many weights and nothing but these decides them. */
function sliced(c: RuleContext): Gradients | undefined {
  const { batch, queryHeads, queries, keys } = headsOf(c);
  const large = batch * queryHeads * queries * keys >= manyWeights;
  if (c.forms.attention !== 'sliced' || !large || isMasked(c)) return undefined;
  return c.shared('sliced', () => {
    const { k, ...operands } = operandsOf(c);
    return inSlices(c.b, { ...operands, kT: c.b.swapLast(k) }, scaleOf(c));
  });
}

interface Recomputed {
  /** Queries times scale. */
  readonly q: Value;
  /** Attention weights and the gradient of what they are the softmax of, `[batch, key heads, ·, keys]`. */
  readonly p: Value;
  readonly ds: Value;
}

/** P = softmax(scale Q Kᵀ + mask) once more, and dS = P (dP − Σ dP P) with dP = G Vᵀ. */
function recomputed(c: RuleContext): Recomputed {
  return c.shared('attention', () => {
    const { b } = c;
    const { batch, queryHeads, queries, keys } = headsOf(c);
    const { k, v, g, ...operands } = operandsOf(c);
    const q = b.scale(operands.q, scaleOf(c));
    const scores = b.reshape(b.matMul(q, c.b.swapLast(k)), [batch, queryHeads, queries, keys]);
    const p = grouped(c, weightsOf(c, masked(c, scores)));
    const ds = throughSoftmax(c, p, b.matMul(g, c.b.swapLast(v)), -1);
    return { q, p, ds };
  });
}

/** A query that no key is left for gets zeros, where softmax would give all of them the same, or NaN. */
function weightsOf(c: RuleContext, scores: Value): Value {
  const { b } = c;
  const weights = b.op('Softmax', [scores], { axis: -1 });
  if (!isMasked(c)) return weights;
  const left = b.op('Greater', [scores, b.scalar(lowestScore, scores)]);
  return b.op('Where', [left, weights, b.scalar(0, weights)]);
}

const isMasked = (c: NodeView): boolean =>
  c.input(3) !== undefined || intAttr(c.node, 'is_causal', 0) === 1;

const scaleOf = (c: NodeView): number => {
  const size = (c.x.shape.at(-1) as number) / (c.x.shape.length === 3 ? headsOf(c).queryHeads : 1);
  return floatAttr(c.node, 'scale', 1 / Math.sqrt(size));
};

/** Scores with the mask added, or with the lowest number where it is false. */
function masked(c: RuleContext, scores: Value): Value {
  const { b } = c;
  const hidden = b.scalar(lowestScore, scores);
  const mask = c.input(3);
  const given =
    mask?.dtype === 'bool'
      ? b.op('Where', [mask, scores, hidden])
      : mask
        ? b.add(scores, mask)
        : scores;
  return intAttr(c.node, 'is_causal', 0)
    ? b.op('Where', [causalMask(c, scores.shape.slice(2)), given, hidden])
    : given;
}

/** True where a key is not later than its query. */
function causalMask({ b }: RuleContext, shape: readonly number[]): Value {
  const [queries = 0, keys = 0] = shape;
  return derived(b, `causal${showShape(shape)}`, () => ({
    dtype: 'bool',
    shape,
    bytes: () =>
      Uint8Array.from({ length: queries * keys }, (_, i) =>
        Number(i % keys <= Math.floor(i / keys)),
      ),
  }));
}

function queryGradient(c: RuleContext): Value {
  const { b } = c;
  const { batch, queryHeads, queries } = headsOf(c);
  const { k } = operandsOf(c);
  const dq = sliced(c)?.[0] ?? b.scale(b.matMul(recomputed(c).ds, k), scaleOf(c));
  return pack(c, b.reshape(dq, [batch, queryHeads, queries, k.shape.at(-1) as number]), c.x);
}

function keyGradient(c: RuleContext): Value {
  const bySlices = sliced(c);
  if (bySlices) return pack(c, c.b.swapLast(bySlices[1]), c.w);
  const { ds, q } = recomputed(c);
  return pack(c, c.b.matMul(c.b.swapLast(ds), q), c.w);
}

function valueGradient(c: RuleContext): Value {
  const dv = sliced(c)?.[2] ?? c.b.matMul(c.b.swapLast(recomputed(c).p), operandsOf(c).g);
  return pack(c, dv, c.input(2) as Value);
}

function maskGradient(c: RuleContext): Value {
  const { batch, queryHeads, queries, keys } = headsOf(c);
  const { ds } = recomputed(c);
  const mask = c.input(3) as Value;
  return c.b.cast(c.b.reshape(ds, [batch, queryHeads, queries, keys]), mask.dtype);
}

function attentionObstacle(v: NodeView): string | undefined {
  const { node } = v;
  if (node.input.slice(4).some(Boolean)) return 'it reads a key-value cache';
  if (node.output.slice(1).some(Boolean)) return 'it puts out a cache or its scores';
  const masked = v.input(3)?.shape.at(-1);
  if (masked !== undefined && masked < headsOf(v).keys) return 'its mask is shorter than its keys';
  return floatAttr(node, 'softcap', 0) === 0 ? undefined : 'its scores are capped';
}

/** Pairs are turned by an angle, and their gradients back by it; what is not turned passes. */
function rotaryInput(c: RuleContext): Value {
  const [cos, sin, positions] = [c.w, c.input(2) as Value, c.input(3)];
  return c.b.op('RotaryEmbedding', [c.g, cos, c.b.neg(sin), positions], plainAttributes(c.node));
}

export const attention: RuleTable = {
  Softmax: rule((c) => throughSoftmax(c, c.y, c.g, axisOf(c))),
  LogSoftmax: rule((c) => {
    const { b, g, y } = c;
    return b.sub(g, b.mul(b.op('Exp', [y]), b.reduce('Sum', g, [axisOf(c)])));
  }),
  Attention: unless(
    attentionObstacle,
    rule(queryGradient, keyGradient, valueGradient, maskGradient),
  ),
  RotaryEmbedding: rule(rotaryInput),
};
