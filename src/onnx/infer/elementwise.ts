/** Output types of elementwise operators. */
import { dtypeOf } from '../dtype.ts';
import { broadcast, intOf, need, type Infer } from './infer.ts';

/** Same type as the first input. */
export const same: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  return [{ dtype, shape }];
};

const variadic: Infer = (c) => [
  {
    dtype: need(c, 0).dtype,
    shape: broadcast(...c.inputs.map((_, i) => need(c, i).shape)),
  },
];

const compare: Infer = (c) => [
  { dtype: 'bool', shape: broadcast(need(c, 0).shape, need(c, 1).shape) },
];

const test: Infer = (c) => [{ dtype: 'bool', shape: need(c, 0).shape }];

export const elementwise: Record<string, Infer> = {
  ...Object.fromEntries(
    [
      [
        'Abs',
        'Acos',
        'Asin',
        'Atan',
        'Ceil',
        'Clip',
        'Cos',
        'CumSum',
        'Elu',
        'Erf',
        'Exp',
        'Floor',
        'Gelu',
        'HardSigmoid',
      ],
      ['HardSwish', 'Hardmax', 'Identity', 'LeakyRelu', 'Log', 'LogSoftmax', 'Neg', 'Reciprocal'],
      ['Relu', 'Round', 'Sigmoid', 'Sign', 'Sin', 'Softmax', 'Softplus', 'Sqrt', 'Swish', 'Tanh'],
      ['Acosh', 'Asinh', 'Atanh', 'Celu', 'Cosh', 'Mish', 'Selu', 'Shrink', 'Sinh', 'Softsign'],
      ['Tan', 'ThresholdedRelu', 'Trilu'],
    ]
      .flat()
      .map((op) => [op, same]),
  ),
  ...Object.fromEntries(
    ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'PRelu', 'Max', 'Min', 'Sum', 'Mean', 'Mod'].map((op) => [
      op,
      variadic,
    ]),
  ),
  ...Object.fromEntries(
    ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'And', 'Or', 'Xor'].map((op) => [
      op,
      compare,
    ]),
  ),
  Not: test,
  IsNaN: test,
  IsInf: test,
  Dropout: (c) => [...same(c), ...test(c)].slice(0, c.outputs),
  Where: (c) => [
    {
      dtype: need(c, 1).dtype,
      shape: broadcast(need(c, 0).shape, need(c, 1).shape, need(c, 2).shape),
    },
  ],
  Cast: (c) => [{ dtype: dtypeOf(intOf(c, 'to', 1), 'Cast'), shape: need(c, 0).shape }],
};
