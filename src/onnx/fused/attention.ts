/** Attention of several heads with the projections, biases and masks that are fused into it. */
import { floatAttr, intAttr, intsAttr } from '../attributes.ts';
import type { GraphBuilder } from '../builder.ts';
import type { Value } from '../graph.ts';
import { headsApart, headsTogether, lowestScore } from '../heads.ts';
import type { NodeView } from '../node-view.ts';
import { plus } from './activations.ts';
import type { Standard } from './standard.ts';

/** Queries, keys and values, `[batch, heads, length, size]`. */
interface Heads {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/** One of those that are packed beside each other for each head, `[batch, length, heads, packed, size]`. */
function unpackedHeads(b: GraphBuilder, x: Value): Value[] {
  const [batch = 1, length = 1, heads = 1, count = 1, size = 1] = x.shape;
  return b
    .parts(x, count, 3)
    .map((part) => b.transpose(b.reshape(part, [batch, length, heads, size]), [0, 2, 1, 3]));
}

/** With what came before, `[batch, heads, length, size]`; an empty past is none. */
function afterPast(b: GraphBuilder, past: Value | undefined, x: Value): Value {
  return past && !past.shape.includes(0) ? b.op('Concat', [past, x], { axis: 2 }) : x;
}

/**
 * What a mask of integers adds to scores: nothing where a key counts, `filter` where it is padding. Lengths
 * `[batch]`, a flag for each key `[batch, keys]`, or for each query and key; undefined for other forms.
 */
function paddingOf(
  b: GraphBuilder,
  mask: Value,
  { q, k }: Heads,
  filter: number,
): Value | undefined {
  const [batch = 1, , queries = 1] = q.shape;
  const keys = k.shape[2] as number;
  const [first, second, third] = mask.shape;
  let counts: Value;
  if (mask.shape.length === 1 && first === batch) {
    const places = b.constant([...Array(keys).keys()], mask.dtype, [1, 1, 1, keys]);
    counts = b.op('Less', [places, b.reshape(mask, [batch, 1, 1, 1])]);
  } else if (mask.shape.length === 2 && first === batch && second === keys) {
    counts = b.op('Greater', [b.reshape(mask, [batch, 1, 1, keys]), b.constant(0, mask.dtype)]);
  } else if (mask.shape.length === 3 && second === queries && third === keys) {
    const rows = b.reshape(mask, [batch, 1, queries, keys]);
    counts = b.op('Greater', [rows, b.constant(0, mask.dtype)]);
  } else return undefined;
  return b.op('Where', [counts, b.scalar(0, q), b.scalar(filter, q)]);
}

/** Keys after their query's own place are hidden; the queries are the last of the positions. */
function causal(b: GraphBuilder, { q, k }: Heads): Value {
  const [queries, keys] = [q.shape[2] as number, k.shape[2] as number];
  const hidden = Array.from({ length: queries * keys }, (_, i) =>
    i % keys > Math.floor(i / keys) + keys - queries ? lowestScore : 0,
  );
  return b.constant(hidden, q.dtype, [1, 1, queries, keys]);
}

interface Masks {
  readonly padding: Value | undefined;
  /** Added to scores, `[batch or 1, heads or 1, queries, keys]`. */
  readonly bias: Value | undefined;
}

/** softmax(s q kᵀ + masks) v, with heads side by side again; undefined for a mask of an unknown form. */
function attend(
  b: GraphBuilder,
  { node }: NodeView,
  heads: Heads,
  { padding, bias }: Masks,
): Value | undefined {
  const { q, k, v } = heads;
  const own = 1 / Math.sqrt(q.shape[3] as number);
  const filter = floatAttr(node, 'mask_filter_value', -10_000);
  const hidden = padding && paddingOf(b, padding, heads, filter);
  if (padding && !hidden) return undefined;
  let scores = b.scale(b.matMul(q, b.swapLast(k)), floatAttr(node, 'scale', 0) || own);
  for (const added of [bias, hidden]) scores = plus(b, scores, added);
  if (intAttr(node, 'unidirectional', 0) === 1) scores = b.add(scores, causal(b, heads));
  return headsTogether(b, b.matMul(b.op('Softmax', [scores], { axis: -1 }), v));
}

const written = (
  y: Value | undefined,
  { k, v }: Heads,
): readonly (Value | undefined)[] | undefined => y && [y, k, v];

/** Of queries, keys and values, each with its own bias, or packed, with the bias of all in one. */
const multiHead: Standard = (b, v) => {
  const count = intAttr(v.node, 'num_heads', 1);
  const [k, value, bias] = [v.input(1), v.input(2), v.input(3)];
  const states = [v.input(6), v.input(7)];
  if (v.input(8) || v.input(9)) return undefined;
  const made = projected(b, count, [v.x, k, value], bias);
  if (!made) return undefined;
  const heads = {
    q: made.q,
    k: afterPast(b, states[0], made.k),
    v: afterPast(b, states[1], made.v),
  };
  return written(attend(b, v, heads, { padding: v.input(4), bias: v.input(5) }), heads);
};

function projected(
  b: GraphBuilder,
  count: number,
  [q, k, v]: readonly [Value, Value | undefined, Value | undefined],
  bias: Value | undefined,
): Heads | undefined {
  if (q.shape.length === 5) {
    const [first, second, third] = unpackedHeads(b, q);
    return bias || !first || !second || !third ? undefined : { q: first, k: second, v: third };
  }
  const width = q.shape[2] as number;
  const all = bias?.shape[0] as number;
  const biases = bias && b.split(bias, [width, width, all - 2 * width], 0);
  const head = (x: Value, i: number): Value => headsApart(b, plus(b, x, biases?.[i]), count);
  if (!k) return undefined;
  if (k.shape.length === 5) {
    const [first, second] = unpackedHeads(b, k);
    return bias || !first || !second ? undefined : { q: head(q, 0), k: first, v: second };
  }
  // Keys and values by head already are those of a state that was kept, which have their bias.
  if (!v) return undefined;
  return k.shape.length === 4
    ? { q: head(q, 0), k, v }
    : { q: head(q, 0), k: head(k, 1), v: head(v, 2) };
}

/** Queries, keys and values are projections of one input, by weights beside each other. */
const selfAttention: Standard = (b, v) => {
  const { node, x, w } = v;
  const count = intAttr(node, 'num_heads', 1);
  const [bias, mask, past, added] = [v.input(2), v.input(3), v.input(4), v.input(5)];
  if (v.input(6) || intAttr(node, 'do_rotary', 0) === 1) return undefined;
  const third = (w.shape[1] as number) / 3;
  const sizes = intsAttr(node, 'qkv_hidden_sizes') ?? [third, third, third];
  const all = plus(b, b.matMul(x, w), bias);
  const [q, k, value] = b.split(all, sizes, 2).map((part) => headsApart(b, part, count));
  if (!q || !k || !value) return undefined;
  const states = past && !past.shape.includes(0) ? b.parts(past, 2, 0) : [];
  const [keys, values] = states.map((s) => b.reshape(s, s.shape.slice(1)));
  const heads = { q, k: afterPast(b, keys, k), v: afterPast(b, values, value) };
  const y = attend(b, v, heads, { padding: mask, bias: added });
  if (!y) return undefined;
  // Keys and values beside each other, for the next call.
  const present = node.output[1]
    ? b.op(
        'Concat',
        [heads.k, heads.v].map((s) => b.reshape(s, [1, ...s.shape])),
        { axis: 0 },
      )
    : undefined;
  return [y, present];
};

export const attention: Readonly<Record<string, Standard>> = {
  Attention: selfAttention,
  MultiHeadAttention: multiHead,
};
