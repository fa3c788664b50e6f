/** Gradients of elementwise operators. g: gradient of the output, y: the output. */
import { isFloat } from '../../onnx/dtype.ts';
import type { Value } from '../../onnx/graph.ts';
import { constantInputs } from '../constant-inputs.ts';
import {
  every,
  noGradient,
  passingIntegers,
  rule,
  unless,
  type RuleContext,
  type RuleTable,
} from '../rule.ts';
import { floatAttr, stringAttr } from '../../onnx/attributes.ts';

const num = (c: RuleContext, value: number): Value => c.b.scalar(value, c.x);

/** `g` where `condition` holds, and zero elsewhere. */
function only(c: RuleContext, condition: Value, g: Value): Value {
  return c.b.op('Where', [condition, g, c.b.scalar(0, g)]);
}

function greater(c: RuleContext, a: Value, b: number): Value {
  return c.b.op('Greater', [a, num(c, b)]);
}

/** Φ(x) + x φ(x), with Φ and φ the normal distribution and its density. */
function geluExact(c: RuleContext): Value {
  const { b, x } = c;
  const erf = b.op('Erf', [b.scale(x, Math.SQRT1_2)]);
  const distribution = b.scale(b.add(erf, num(c, 1)), 0.5);
  const density = b.scale(b.op('Exp', [b.scale(b.mul(x, x), -0.5)]), 1 / Math.sqrt(2 * Math.PI));
  return b.add(distribution, b.mul(x, density));
}

/** y = x/2 (1 + tanh u), u = √(2/π)(x + 0.044715 x³). */
function geluTanh(c: RuleContext): Value {
  const { b, x } = c;
  const k = Math.sqrt(2 / Math.PI);
  const x2 = b.mul(x, x);
  const u = b.mul(b.scale(x, k), b.add(b.scale(x2, 0.044715), num(c, 1)));
  const t = b.op('Tanh', [u]);
  const du = b.scale(b.add(b.scale(x2, 3 * 0.044715), num(c, 1)), k);
  const rise = b.mul(b.mul(b.sub(num(c, 1), b.mul(t, t)), du), b.scale(x, 0.5));
  return b.add(b.scale(b.add(t, num(c, 1)), 0.5), rise);
}

/** y = x s(αx): s + αx s (1 − s). */
function swish(c: RuleContext): Value {
  const { b, x } = c;
  const ax = b.scale(x, floatAttr(c.node, 'alpha', 1));
  const s = b.op('Sigmoid', [ax]);
  return b.mul(s, b.add(b.mul(ax, b.sub(num(c, 1), s)), num(c, 1)));
}

/** y = x t with t = tanh(ln(1 + eˣ)): t + x s (1 − t²), s = sigmoid(x). */
function mish(c: RuleContext): Value {
  const { b, x } = c;
  const t = b.op('Tanh', [b.op('Softplus', [x])]);
  const rise = b.mul(b.op('Sigmoid', [x]), b.sub(num(c, 1), b.mul(t, t)));
  return b.add(t, b.mul(x, rise));
}

function hardSwish(c: RuleContext): Value {
  const { b, x } = c;
  const slope = b.add(b.scale(x, 1 / 3), num(c, 0.5));
  const above = b.op('Where', [b.op('Less', [x, num(c, 3)]), slope, num(c, 1)]);
  return only(c, greater(c, x, -3), above);
}

/** The first of several equal extremes takes all of g in ONNX Runtime's forward; here ties share. */
function extreme(c: RuleContext, slot: number): Value {
  const { b, g, y } = c;
  const hit = (i: number): Value => b.cast(b.op('Equal', [c.input(i) as Value, y]), g.dtype);
  const hits = c.shared('hits', () => c.node.input.map((_, i) => hit(i)));
  const count = c.shared('count', () => hits.reduce((sum, h) => b.add(sum, h)));
  return b.mul(g, b.div(hits[slot] as Value, count));
}

/** w x^(w−1), with the exponents that losses use spelled out. */
function powBase(c: RuleContext): Value {
  const { b, g, x, w } = c;
  const exponents = c.constant(1);
  if (exponents?.length === 1 && exponents[0] === 2) return b.mul(g, b.scale(x, 2));
  const exponent = b.cast(w, x.dtype);
  const slope = b.mul(exponent, b.op('Pow', [x, b.sub(exponent, num(c, 1))]));
  // x⁰ is flat, at 0 too, where 0 · 0⁻¹ is no number.
  if (exponents?.every((e) => e !== 0)) return b.mul(g, slope);
  return b.mul(g, b.op('Where', [b.op('Equal', [exponent, num(c, 0)]), num(c, 0), slope]));
}

/** y ln x, and 0 where x is 0. */
function powExponent(c: RuleContext): Value {
  const { b, g, x, y } = c;
  const positive = greater(c, x, 0);
  const safe = b.op('Where', [positive, x, num(c, 1)]);
  return b.cast(only(c, positive, b.mul(g, b.mul(y, b.op('Log', [safe])))), c.w.dtype);
}

/** The lower bound gets what lies below it, unless it is above the upper one, which then counts. */
function clipLow(c: RuleContext): Value {
  const { b, g, x, w } = c;
  const below = b.op('Less', [x, w]);
  const high = c.input(2);
  return only(c, high ? b.op('And', [below, b.op('LessOrEqual', [w, high])]) : below, g);
}

function clipHigh(c: RuleContext): Value {
  const { b, g, x } = c;
  const [low, high] = [c.input(1), c.input(2) as Value];
  return only(c, b.op('Greater', [low ? b.op('Max', [x, low]) : x, high]), g);
}

export const elementwise: RuleTable = {
  // Sums and products
  Add: rule(
    ({ g }) => g,
    ({ g }) => g,
  ),
  Sub: rule(
    ({ g }) => g,
    ({ b, g }) => b.neg(g),
  ),
  Mul: rule(
    ({ b, g, w }) => b.mul(g, w),
    ({ b, g, x }) => b.mul(g, x),
  ),
  Div: rule(
    ({ b, g, w }) => b.div(g, w),
    ({ b, g, w, y }) => b.neg(b.div(b.mul(g, y), w)),
  ),
  // Of floats it is the remainder x − w trunc(x/w), which has the sign of x.
  Mod: rule(
    ({ g }) => g,
    ({ b, g, x, w, y }) => b.neg(b.mul(g, b.div(b.sub(x, y), w))),
  ),
  Sum: every(({ g }) => g),
  Mean: every(({ b, g, node }) => b.scale(g, 1 / node.input.length)),
  Max: every(extreme),
  Min: every(extreme),
  Neg: rule(({ b, g }) => b.neg(g)),
  Identity: passingIntegers(rule(({ g }) => g)),
  // Outside of training a Dropout passes its input through.
  Dropout: unless(
    (v) =>
      constantInputs(2)(v) ?? (v.constant(2)?.[0] ? 'training mode draws at random' : undefined),
    rule(({ g }) => g, null),
  ),
  Cast: passingIntegers(rule(({ b, g, x }) => (isFloat(x.dtype) ? b.cast(g, x.dtype) : g))),

  // Powers and logarithms
  Exp: rule(({ b, g, y }) => b.mul(g, y)),
  Log: rule(({ b, g, x }) => b.div(g, x)),
  Sqrt: rule(({ b, g, y }) => b.div(b.scale(g, 0.5), y)),
  Reciprocal: rule(({ b, g, y }) => b.neg(b.mul(g, b.mul(y, y)))),
  Pow: rule(powBase, powExponent),
  Abs: rule(({ b, g, x }) => b.mul(g, b.op('Sign', [x]))),

  // Circular and hyperbolic functions
  Sin: rule(({ b, g, x }) => b.mul(g, b.op('Cos', [x]))),
  Cos: rule(({ b, g, x }) => b.neg(b.mul(g, b.op('Sin', [x])))),
  Tanh: rule((c) => c.b.mul(c.g, c.b.sub(num(c, 1), c.b.mul(c.y, c.y)))),
  Tan: rule((c) => c.b.mul(c.g, c.b.add(num(c, 1), c.b.mul(c.y, c.y)))),
  Sinh: rule(({ b, g, x }) => b.mul(g, b.op('Cosh', [x]))),
  Cosh: rule(({ b, g, x }) => b.mul(g, b.op('Sinh', [x]))),
  Asin: rule((c) => c.b.div(c.g, c.b.op('Sqrt', [c.b.sub(num(c, 1), c.b.mul(c.x, c.x))]))),
  Acos: rule((c) => c.b.neg(c.b.div(c.g, c.b.op('Sqrt', [c.b.sub(num(c, 1), c.b.mul(c.x, c.x))])))),
  Atan: rule((c) => c.b.div(c.g, c.b.add(num(c, 1), c.b.mul(c.x, c.x)))),
  Asinh: rule((c) => c.b.div(c.g, c.b.op('Sqrt', [c.b.add(c.b.mul(c.x, c.x), num(c, 1))]))),
  Acosh: rule((c) => c.b.div(c.g, c.b.op('Sqrt', [c.b.sub(c.b.mul(c.x, c.x), num(c, 1))]))),
  Atanh: rule((c) => c.b.div(c.g, c.b.sub(num(c, 1), c.b.mul(c.x, c.x)))),
  Erf: rule(({ b, g, x }) => {
    const bell = b.op('Exp', [b.neg(b.mul(x, x))]);
    return b.mul(g, b.scale(bell, 2 / Math.sqrt(Math.PI)));
  }),

  // Activations
  Sigmoid: rule((c) => c.b.mul(c.g, c.b.mul(c.y, c.b.sub(num(c, 1), c.y)))),
  Softplus: rule(({ b, g, x }) => b.mul(g, b.op('Sigmoid', [x]))),
  Relu: rule((c) => only(c, greater(c, c.y, 0), c.g)),
  LeakyRelu: rule((c) =>
    c.b.op('Where', [greater(c, c.x, 0), c.g, c.b.scale(c.g, floatAttr(c.node, 'alpha', 0.01))]),
  ),
  PRelu: rule(
    (c) => c.b.op('Where', [greater(c, c.x, 0), c.g, c.b.mul(c.g, c.w)]),
    (c) => c.b.op('Where', [greater(c, c.x, 0), c.b.scalar(0, c.g), c.b.mul(c.g, c.x)]),
  ),
  Elu: rule((c) => {
    const alpha = floatAttr(c.node, 'alpha', 1);
    const below = c.b.mul(c.g, c.b.add(c.y, num(c, alpha)));
    return c.b.op('Where', [greater(c, c.x, 0), c.g, below]);
  }),
  Selu: rule((c) => {
    const alpha = floatAttr(c.node, 'alpha', 1.6732632);
    const gamma = floatAttr(c.node, 'gamma', 1.0507009);
    const below = c.b.mul(c.g, c.b.add(c.y, num(c, alpha * gamma)));
    return c.b.op('Where', [greater(c, c.x, 0), c.b.scale(c.g, gamma), below]);
  }),
  Celu: rule((c) => {
    const below = c.b.add(c.b.scale(c.y, 1 / floatAttr(c.node, 'alpha', 1)), num(c, 1));
    return c.b.op('Where', [greater(c, c.x, 0), c.g, c.b.mul(c.g, below)]);
  }),
  ThresholdedRelu: rule((c) => only(c, greater(c, c.x, floatAttr(c.node, 'alpha', 1)), c.g)),
  Shrink: rule((c) =>
    only(c, greater(c, c.b.op('Abs', [c.x]), floatAttr(c.node, 'lambd', 0.5)), c.g),
  ),
  Softsign: rule((c) => {
    const root = c.b.add(c.b.op('Abs', [c.x]), num(c, 1));
    return c.b.div(c.g, c.b.mul(root, root));
  }),
  HardSigmoid: rule((c) => {
    const { b, g, y } = c;
    const inside = b.op('And', [greater(c, y, 0), b.op('Less', [y, num(c, 1)])]);
    return only(c, inside, b.scale(g, floatAttr(c.node, 'alpha', 0.2)));
  }),
  HardSwish: rule((c) => c.b.mul(c.g, hardSwish(c))),
  Gelu: rule((c) => {
    const tanh = stringAttr(c.node, 'approximate', 'none') === 'tanh';
    return c.b.mul(c.g, tanh ? geluTanh(c) : geluExact(c));
  }),
  Mish: rule((c) => c.b.mul(c.g, mish(c))),
  Swish: rule((c) => c.b.mul(c.g, swish(c))),

  // Selection
  // What the clip leaves alone passes; a value on the bound counts as inside.
  Clip: rule((c) => only(c, c.b.op('Equal', [c.x, c.y]), c.g), clipLow, clipHigh),
  Where: rule(
    null,
    (c) => only(c, c.x, c.g),
    ({ b, g, x }) => b.op('Where', [x, b.scalar(0, g), g]),
  ),

  // Piecewise constant, boolean and integer results
  ...Object.fromEntries(
    [
      ['Ceil', 'Floor', 'Round', 'Sign', 'Equal', 'Greater', 'GreaterOrEqual', 'Less'],
      ['LessOrEqual', 'And', 'Or', 'Xor', 'Not', 'IsNaN', 'IsInf', 'BitwiseAnd', 'BitwiseOr'],
    ]
      .flat()
      .map((op) => [op, noGradient]),
  ),
};
