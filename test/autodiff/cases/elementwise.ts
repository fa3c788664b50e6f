/** Law cases of elementwise operators, with broadcasting in every arrangement. */
import { dtypes } from '../../../src/onnx/dtype.ts';
import type { LawCase } from '../law.ts';
import { apart, onX, type Details } from './case.ts';

const positive = { low: 0.5, high: 2 };
const kinked = { values: apart(24) };
const zeroColumn = apart(24).map((v, i) => (i % 4 === 0 ? 0 : v));

const unary: [operator: string, details?: Details, name?: string][] = [
  ['Neg'],
  ['Identity'],
  ['Exp'],
  ['Log', positive],
  ['Sqrt', positive],
  ['Reciprocal', positive],
  ['Reciprocal', { low: -2, high: -0.5 }, 'negative'],
  ['Abs', kinked],
  ['Sin', { low: -3, high: 3 }],
  ['Cos', { low: -3, high: 3 }],
  ['Tanh'],
  ['Tan'],
  ['Sinh'],
  ['Cosh'],
  ['Asinh', { low: -3, high: 3 }],
  ['Acosh', { low: 1.5, high: 4 }],
  ['Atanh', { low: -0.7, high: 0.7 }],
  ['Asin', { low: -0.8, high: 0.8 }],
  ['Acos', { low: -0.8, high: 0.8 }],
  ['Atan', { low: -3, high: 3 }],
  ['Erf'],
  ['Sigmoid', { low: -3, high: 3 }],
  ['Softplus'],
  ['Relu', kinked],
  ['LeakyRelu', kinked],
  ['LeakyRelu', { ...kinked, attributes: { alpha: 0.3 } }, 'alpha'],
  ['Elu', kinked],
  ['Elu', { ...kinked, attributes: { alpha: 0.7 } }, 'alpha'],
  ['Selu', kinked],
  ['Selu', { ...kinked, attributes: { alpha: 1.2, gamma: 0.9 } }, 'alpha and gamma'],
  ['Celu', kinked],
  ['Celu', { ...kinked, attributes: { alpha: 0.6 } }, 'alpha'],
  ['ThresholdedRelu', kinked],
  ['ThresholdedRelu', { ...kinked, attributes: { alpha: 0.5 } }, 'alpha'],
  ['Shrink', kinked],
  ['Shrink', { ...kinked, attributes: { lambd: 1, bias: 0.25 } }, 'lambd and bias'],
  ['Softsign', kinked],
  ['Mish', { opset: 18 }],
  ['HardSigmoid', { values: apart(24, 0.5) }],
  ['HardSigmoid', { ...kinked, attributes: { alpha: 0.5, beta: 0.4 } }, 'alpha and beta'],
  ['HardSwish', { values: apart(24, 0.5) }],
  ['Gelu', { opset: 20 }],
  ['Gelu', { opset: 20, attributes: { approximate: 'tanh' } }, 'tanh'],
  ['Swish', { opset: 24 }],
  ['Swish', { opset: 24, attributes: { alpha: 1.7 } }, 'alpha'],
  ['Dropout'],
  ['Clip', { ...kinked, rest: (b) => [b.constant(-1), b.constant(1.5)] }, 'both bounds'],
  ['Clip', { ...kinked, rest: (b) => [b.constant(-1)] }, 'lower bound'],
  ['Clip', { ...kinked, rest: (b) => [undefined, b.constant(1.5)] }, 'upper bound'],
  ['Pow', { rest: (b) => [b.constant(2)] }, 'square'],
  ['Pow', { rest: (b) => [b.constant(3)] }, 'cube'],
  ['Pow', { rest: (b) => [b.ints(3)] }, 'integer exponent'],
  ['Pow', { values: zeroColumn, rest: (b) => [b.constant([0, 1, 2, 3])] }, 'nothing to the 0'],
  ['Pow', { ...positive, rest: (b) => [b.constant(-1.5)] }, 'negative exponent'],
  ['Pow', { ...positive, rest: (b) => [b.constant([1, 0.5, 2, 3])] }, 'an exponent a column'],
];

const arrangements: [number[], number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[3], [2, 3]],
  [
    [2, 1],
    [1, 3],
  ],
  [[], [2, 3]],
  [[2, 3], []],
  [
    [2, 3, 1],
    [3, 4],
  ],
  [
    [1, 1],
    [2, 3],
  ],
];

const binary = (operator: string, [a, b]: [number[], number[]]): LawCase => ({
  name: `[${a}] and [${b}]`,
  operator,
  inputs: { a: { shape: a }, b: { shape: b, ...positive } },
  build: (g, { a, b }) => g.op(operator, [a, b]),
});

const variadic = (operator: string, ...shapes: number[][]): LawCase => {
  const sizes = shapes.map((shape) => shape.reduce((n, d) => n * d, 1));
  const values = apart(sizes.reduce((n, size) => n + size, 0));
  return {
    name: shapes.map((shape) => `[${shape}]`).join(' '),
    operator,
    inputs: Object.fromEntries(
      shapes.map((shape, i) => [`x${i}`, { shape, values: values.splice(0, sizes[i]) }]),
    ),
    build: (b, x) => b.op(operator, Object.values(x)),
  };
};

const where = (condition: number[], shape: number[], a: number[], b: number[]): LawCase => ({
  name: `[${shape}] ? [${a}] : [${b}]`,
  operator: 'Where',
  inputs: { a: { shape: a }, b: { shape: b } },
  build: (g, { a, b }) => g.op('Where', [g.constant(condition, 'bool', shape), a, b]),
});

const bounds = { lo: { shape: [], values: [-1] }, hi: { shape: [], values: [1.5] } };
const clip = (name: string, { lo, hi }: Partial<typeof bounds>): LawCase => ({
  name: `computed bounds, ${name}`,
  operator: 'Clip',
  inputs: { x: { shape: [2, 3, 4], ...kinked }, ...(lo && { lo }), ...(hi && { hi }) },
  build: (b, { x, lo, hi }) => b.op('Clip', [x, lo, hi]),
});

const prelu = (slope: number[]): LawCase => ({
  name: `slope [${slope}]`,
  operator: 'PRelu',
  inputs: { x: { shape: [2, 3, 4], ...kinked }, slope: { shape: slope } },
  build: (b, { x, slope }) => b.op('PRelu', [x, slope]),
});

export const elementwise: LawCase[] = [
  ...unary.map(([operator, details, name]) =>
    onX(operator, name ?? 'plain', [2, 3, 4], details ?? {}),
  ),
  ...['Add', 'Sub', 'Mul', 'Div'].flatMap((op) => arrangements.map((shapes) => binary(op, shapes))),
  ...['Max', 'Min', 'Sum', 'Mean'].flatMap((op) => [
    variadic(op, [2, 3]),
    variadic(op, [2, 3], [3]),
    variadic(op, [3], [2, 1], [2, 3]),
  ]),
  where([1, 0, 1, 0, 0, 1], [2, 3], [2, 3], [2, 3]),
  where([1, 0, 1], [3], [2, 1], []),
  where([1, 0, 1, 0, 0, 1], [2, 3], [3], [2, 3]),
  clip('both', bounds),
  clip('the lower alone', { lo: bounds.lo }),
  clip('the upper alone', { hi: bounds.hi }),
  clip('crossed', { lo: bounds.hi, hi: bounds.lo }),
  {
    name: 'of floats',
    operator: 'Mod',
    // Quotients from -4 to 4, none near a whole number.
    inputs: {
      x: { shape: [2, 4], values: [-3.9, -2.8, -1.6, -0.7, 0.4, 1.6, 2.9, 3.6] },
      w: { shape: [2, 1], values: [1.2, -1.3] },
    },
    build: (b, { x, w }) => b.op('Mod', [x, w], { fmod: 1 }),
  },
  prelu([3, 1]),
  prelu([1]),
  prelu([2, 3, 4]),
  {
    name: 'base and exponent',
    operator: 'Pow',
    inputs: { x: { shape: [2, 3], ...positive }, w: { shape: [3] } },
    build: (b, { x, w }) => b.op('Pow', [x, w]),
  },
  {
    name: 'there and back',
    operator: 'Cast',
    inputs: { x: { shape: [2, 3] } },
    build: (b, { x }) => {
      const wide = b.op('Cast', [x], { to: dtypes.float64.code });
      return b.cast(b.mul(wide, wide), 'float32');
    },
  },
  {
    name: 'equal inputs share',
    operator: 'Max',
    inputs: { x: { shape: [2, 3] } },
    build: (b, { x }) => b.op('Max', [x, x]),
  },
];
