/** Gradients of what is put in place by index, over or with what is there. g: gradient of the output. */
import { stringAttr } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { scatterAdd, scatterAddAlong } from '../adjoint.ts';
import { rule, type Rule, type RuleContext, type RuleTable } from '../rule.ts';
import { axisOf } from './indexing.ts';

/** The places that a node names, several of which may be the same. */
interface Places {
  /** What a tensor like the data has there, an element an update. */
  readonly read: (data: Value) => Value;
  /** What a tensor like the updates has for each, added up on zeros. */
  readonly add: (updates: Value) => Value;
  /** What the node does, of other operands. */
  readonly put: (data: Value, updates: Value, reduction?: 'mul') => Value;
}

type PlacesOf = (c: RuleContext) => Places;

const alongAxis: PlacesOf = (c) => {
  const { b, x, w } = c;
  const axis = axisOf(c);
  return {
    read: (data) => b.op('GatherElements', [data, w], { axis }),
    add: (updates) => scatterAddAlong(b, x.shape, w, updates, axis),
    put: (data, updates, reduction) =>
      b.op('ScatterElements', [data, w, updates], { axis, reduction }),
  };
};

const byTuples: PlacesOf = ({ b, x, w }) => ({
  read: (data) => b.op('GatherND', [data, w]),
  add: (updates) => scatterAdd(b, x.shape, w, updates),
  put: (data, updates, reduction) => b.op('ScatterND', [data, w, updates], { reduction }),
});

const updatesOf = (c: RuleContext): Value => c.input(2) as Value;

/** The gradients of the data and the updates, by what the node makes of those that meet. */
interface Met {
  readonly data: (c: RuleContext, places: Places) => Value;
  readonly updates: (c: RuleContext, places: Places) => Value;
}

/** What is written over does not count. */
const none: Met = {
  data: (c, { put }) => put(c.g, c.b.zeros(updatesOf(c))),
  updates: ({ g }, { read }) => read(g),
};

const add: Met = { data: ({ g }) => g, updates: none.updates };

/** Where a tensor is zero, and what it is with ones there. */
function apartZeros({ b }: RuleContext, v: Value): { zeros: Value; others: Value } {
  const isZero = b.op('Equal', [v, b.scalar(0, v)]);
  return { zeros: b.cast(isZero, v.dtype), others: b.op('Where', [isZero, b.scalar(1, v), v]) };
}

/**
 * Each times all that it meets, which may be other updates: zeros are counted and left out of the product,
 * as in that of a reduction.
 */
const mul: Met = {
  data: (c, { put }) => put(c.g, updatesOf(c), 'mul'),
  updates: (c, { read, add: sum, put }) => {
    const { b, g, x } = c;
    const data = apartZeros(c, x);
    const updates = apartZeros(c, updatesOf(c));
    const otherZeros = b.sub(read(b.add(data.zeros, sum(updates.zeros))), updates.zeros);
    const product = read(b.mul(g, put(data.others, updates.others, 'mul')));
    const zero = b.scalar(0, x);
    const isFree = b.op('Equal', [otherZeros, zero]);
    return b.op('Where', [isFree, b.div(product, updates.others), zero]);
  },
};

/** Those that equal their extreme share its gradient. */
const extreme: Met = {
  data: (c, places) => {
    const { data, share } = sharesOf(c, places);
    return c.b.mul(data, share);
  },
  updates: (c, places) => {
    const { updates, share } = sharesOf(c, places);
    return c.b.mul(updates, places.read(share));
  },
};

/** Which of data and updates are the extremes, and what each of those takes of g. */
function sharesOf(
  c: RuleContext,
  { read, add: sum }: Places,
): { data: Value; updates: Value; share: Value } {
  const { b, g, x, y } = c;
  return c.shared('shares', () => {
    const hit = (v: Value, most: Value): Value => b.cast(b.op('Equal', [v, most]), g.dtype);
    const data = hit(x, y);
    const updates = hit(updatesOf(c), read(y));
    return { data, updates, share: b.div(g, b.add(data, sum(updates))) };
  });
}

const byReduction: Readonly<Record<string, Met>> = { none, add, mul, max: extreme, min: extreme };

const scattered = (placesOf: PlacesOf): Rule => {
  const met = ({ node }: RuleContext): Met =>
    byReduction[stringAttr(node, 'reduction', 'none')] as Met;
  return rule(
    (c) => met(c).data(c, placesOf(c)),
    null,
    (c) => met(c).updates(c, placesOf(c)),
  );
};

export const scatter: RuleTable = {
  ScatterElements: scattered(alongAxis),
  ScatterND: scattered(byTuples),
};
