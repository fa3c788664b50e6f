/** Gradients of reductions. g: gradient of the output, y: the output. */
import { intAttr, intsAttr } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { noop, reducedAxes } from '../../onnx/infer/reduction.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { sizeOf } from '../../tensor/tensor.ts';
import { constantInputs } from '../constant-inputs.ts';
import { rule, unless, type Rule, type RuleContext, type RuleTable } from '../rule.ts';

const axesOf = (c: NodeView): number[] => {
  const named = intsAttr(c.node, 'axes') ?? c.constant(1);
  return reducedAxes(c.x.shape.length, named, intAttr(c.node, noop, 0) === 1);
};

/** A value of the output's shape with the reduced axes kept, to meet x. */
function kept(c: RuleContext, v: Value): Value {
  const axes = new Set(axesOf(c));
  return c.b.reshape(
    v,
    c.x.shape.map((d, i) => (axes.has(i) ? 1 : d)),
  );
}

/** A reduction's rule: its axes must be constant; `gradient` is given g with the axes kept. */
const over = (gradient: (c: RuleContext, g: Value) => Value): Rule =>
  unless(
    constantInputs(1),
    rule((c) => gradient(c, kept(c, c.g))),
  );

/** A sum or product over axes that may be none at all. */
const along = (
  { b }: RuleContext,
  kind: 'Sum' | 'Prod',
  v: Value,
  axes: readonly number[],
): Value => (axes.length === 0 ? v : b.reduce(kind, v, axes));

/** The elements of `x` that equal their extreme `y` share its gradient. */
export function amongTies(c: RuleContext, g: Value, y: Value, axes: readonly number[]): Value {
  const { b, x } = c;
  const hit = b.cast(b.op('Equal', [x, y]), x.dtype);
  return b.mul(hit, b.div(g, along(c, 'Sum', hit, axes)));
}

const extreme = over((c, g) => amongTies(c, g, kept(c, c.y), axesOf(c)));

/**
 * The product of all other elements. Zeros are counted and left out of the product: where another
 * element is zero the gradient is zero, and elsewhere it is that product, over x where x is not zero.
 */
const product = over((c, g) => {
  const { b, x } = c;
  const axes = axesOf(c);
  const isZero = b.op('Equal', [x, b.scalar(0, x)]);
  const zeros = b.cast(isZero, x.dtype);
  const safe = b.op('Where', [isZero, b.scalar(1, x), x]);
  const otherZeros = b.sub(along(c, 'Sum', zeros, axes), zeros);
  const others = b.div(b.mul(g, along(c, 'Prod', safe, axes)), safe);
  return b.op('Where', [b.op('Equal', [otherZeros, b.scalar(0, x)]), others, b.scalar(0, x)]);
});

/** Below any norm that float32 holds; keeps the gradient at zero finite. */
export const tiny = 1e-30;

export const reduction: RuleTable = {
  ReduceSum: over((_, g) => g),
  ReduceMean: over((c, g) => c.b.scale(g, sizeOf(c.y.shape) / sizeOf(c.x.shape))),
  ReduceSumSquare: over(({ b, x }, g) => b.mul(x, b.scale(g, 2))),
  ReduceL1: over(({ b, x }, g) => b.mul(b.op('Sign', [x]), g)),
  ReduceL2: over((c, g) => {
    const norm = c.b.op('Max', [kept(c, c.y), c.b.scalar(tiny, c.y)]);
    // Not x (g / norm): where g is a single 1, as it is for a batch of one, ONNX Runtime would fuse
    // that into one division, and a batch would not give the bits that its images give alone.
    return c.b.mul(g, c.b.div(c.x, norm));
  }),
  ReduceLogSum: over((c, g) => c.b.div(g, c.b.op('Exp', [kept(c, c.y)]))),
  ReduceLogSumExp: over((c, g) => c.b.mul(g, c.b.op('Exp', [c.b.sub(c.x, kept(c, c.y))]))),
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceProd: product,
  // Each element counts in all sums after it: the sums from the other end.
  CumSum: rule((c) =>
    c.b.op('CumSum', [c.g, c.w], {
      reverse: 1 - intAttr(c.node, 'reverse', 0),
      exclusive: intAttr(c.node, 'exclusive', 0),
    }),
  ),
};
