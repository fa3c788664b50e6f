/** Law cases of normalizations. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { LawCase } from '../law.ts';

const fill = (n: number, value: number): number[] => new Array<number>(n).fill(value);

const affine = (
  operator: string,
  name: string,
  shape: number[],
  parameters: number[],
  attributes: Attributes,
  opset = 17,
): LawCase => ({
  name: `${name}, opset ${opset}`,
  operator,
  inputs: { x: { shape }, scale: { shape: parameters }, bias: { shape: parameters } },
  opset,
  build: (b, { x, scale, bias }) => b.op(operator, [x, scale, bias], attributes),
});

const plain = (
  operator: string,
  shape: number[],
  parameters: number[],
  attributes: Attributes = {},
): LawCase => ({
  name: `scale 1, bias 0, [${shape}]`,
  operator,
  inputs: { x: { shape } },
  build: (b, { x }) => {
    const size = parameters.reduce((n, d) => n * d, 1);
    const constant = (value: number) => b.constant(fill(size, value), 'float32', parameters);
    return b.op(operator, [x, constant(1), constant(0)], attributes);
  },
});

const lp = (p: number, axis: number): LawCase => ({
  name: `p ${p}, axis ${axis}`,
  operator: 'LpNormalization',
  inputs: { x: { shape: [2, 3, 4], low: 0.2, high: 2 } },
  build: (b, { x }) => b.op('LpNormalization', [x], { p, axis }),
});

const across = (name: string, attributes: Attributes): LawCase => ({
  name,
  operator: 'LRN',
  inputs: { x: { shape: [2, 6, 2, 3] } },
  build: (b, { x }) => b.op('LRN', [x], attributes),
});

const whole = (name: string, shape: number[], axes?: number[]): LawCase => ({
  name,
  operator: 'MeanVarianceNormalization',
  inputs: { x: { shape } },
  build: (b, { x }) => b.op('MeanVarianceNormalization', [x], { axes }),
});

export const normalization: LawCase[] = [
  whole('images', [2, 3, 4, 3]),
  whole('one axis', [2, 3, 4], [-1]),
  across('five channels', { size: 5, alpha: 0.9, beta: 0.75, bias: 2 }),
  across('three channels', { size: 3, alpha: 0.9, beta: 0.5 }),
  across('more channels than there are', { size: 15, alpha: 1.2 }),
  affine('InstanceNormalization', 'images', [2, 3, 4, 3], [3], {}),
  affine('InstanceNormalization', 'sequences', [2, 2, 6], [2], { epsilon: 0.1 }),
  plain('InstanceNormalization', [1, 2, 8], [2]),
  affine('LayerNormalization', 'last axis', [2, 3, 5], [5], {}),
  affine('LayerNormalization', 'two axes', [2, 3, 4], [3, 4], { axis: 1, epsilon: 0.1 }),
  plain('LayerNormalization', [2, 6], [6]),
  {
    name: 'no bias',
    operator: 'LayerNormalization',
    inputs: { x: { shape: [2, 3, 5] }, scale: { shape: [5] } },
    build: (b, { x, scale }) => b.op('LayerNormalization', [x, scale], { axis: -1 }),
  },
  affine('GroupNormalization', 'a scale a group', [2, 4, 3, 2], [2], { num_groups: 2 }, 18),
  affine('GroupNormalization', 'a scale a channel', [2, 4, 3, 2], [4], { num_groups: 2 }, 21),
  {
    name: 'last axis',
    operator: 'RMSNormalization',
    inputs: { x: { shape: [2, 3, 5] }, scale: { shape: [5] } },
    opset: 23,
    build: (b, { x, scale }) => b.op('RMSNormalization', [x, scale]),
  },
  {
    name: 'two axes',
    operator: 'RMSNormalization',
    inputs: { x: { shape: [2, 3, 4] }, scale: { shape: [3, 4] } },
    opset: 23,
    build: (b, { x, scale }) => b.op('RMSNormalization', [x, scale], { axis: -2, epsilon: 0.1 }),
  },
  {
    name: 'inference',
    operator: 'BatchNormalization',
    inputs: { x: { shape: [2, 3, 2, 2] }, scale: { shape: [3] }, bias: { shape: [3] } },
    build: (b, { x, scale, bias }) => {
      const statistics = [b.constant([0.5, -1, 2]), b.constant([0.3, 1, 2])];
      return b.op('BatchNormalization', [x, scale, bias, ...statistics], { epsilon: 0.01 });
    },
  },
  {
    name: 'computed statistics',
    operator: 'BatchNormalization',
    inputs: {
      ...Object.fromEntries(['scale', 'bias', 'mean'].map((name) => [name, { shape: [3] }])),
      x: { shape: [2, 3, 2, 2] },
      variance: { shape: [3], low: 0.5, high: 2 },
    },
    build: (b, { x, scale, bias, mean, variance }) =>
      b.op('BatchNormalization', [x, scale, bias, mean, variance], { epsilon: 0.01 }),
  },
  lp(2, -1),
  lp(1, 1),
];
