/** Law cases of convolutions. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { LawCase } from '../law.ts';
import { wave } from './case.ts';

type Sizes = [image: number[], weights: number[]];

/** Constant weights, as networks have them. */
const weighted = (
  operator: string,
  name: string,
  [image, weights]: Sizes,
  attributes: Attributes = {},
): LawCase => ({
  name,
  operator,
  inputs: { x: { shape: image } },
  build: (b, { x }) => {
    const w = b.constant(wave(weights.reduce((n, d) => n * d, 1)), 'float32', weights);
    return b.op(operator, [x, w], attributes);
  },
});

/** Weights and bias that are computed themselves. */
const computed = (
  operator: string,
  name: string,
  [image, weights]: Sizes,
  attributes: Attributes = {},
  group = 1,
): LawCase => {
  const channels = operator === 'Conv' ? weights[0] : (weights[1] as number) * group;
  return {
    name: `${name}, weights computed`,
    operator,
    inputs: { x: { shape: image }, w: { shape: weights }, bias: { shape: [channels as number] } },
    build: (b, { x, w, bias }) => b.op(operator, [x, w, bias], { ...attributes, group }),
  };
};

const conv = (name: string, sizes: Sizes, attributes?: Attributes): LawCase =>
  weighted('Conv', name, sizes, attributes);
const transposed = (name: string, sizes: Sizes, attributes?: Attributes): LawCase =>
  weighted('ConvTranspose', name, sizes, attributes);

const plain: Sizes = [
  [1, 2, 4, 5],
  [3, 2, 3, 3],
];
const depthwise: Sizes = [
  [1, 3, 4, 4],
  [3, 1, 3, 3],
];
const point: Sizes = [
  [1, 2, 3, 4],
  [3, 2, 1, 1],
];
const line: Sizes = [
  [2, 2, 6],
  [3, 2, 3],
];
const grouped: Sizes = [
  [1, 4, 4, 4],
  [6, 2, 3, 3],
];
const ring = { pads: [1, 1, 1, 1] };

const convs: LawCase[] = [
  conv('3×3', plain, ring),
  conv('3×3 without padding', plain),
  conv('1×1', point),
  conv('1×1, stride 2', point, { strides: [2, 2] }),
  conv('stride 2', plain, { ...ring, strides: [2, 2] }),
  conv('stride 2, pads [0,0,1,1]', plain, { pads: [0, 0, 1, 1], strides: [2, 2] }),
  conv('pads [0,0,1,1]', plain, { pads: [0, 0, 1, 1] }),
  conv('pads [2,0,1,3], more than flipping takes', plain, { pads: [2, 0, 1, 3] }),
  conv('unequal strides', plain, { ...ring, strides: [3, 1] }),
  conv('dilation', plain, { pads: [2, 2, 2, 2], dilations: [2, 2] }),
  conv('dilation and stride', plain, {
    pads: [2, 1, 2, 1],
    dilations: [2, 1],
    strides: [2, 2],
  }),
  conv('1-D, 1×1', [
    [2, 2, 5],
    [3, 2, 1],
  ]),
  conv('1-D', line, { pads: [1, 1] }),
  conv('1-D, stride 2', line, { pads: [1, 0], strides: [2] }),
  conv(
    '3-D',
    [
      [1, 1, 3, 3, 3],
      [2, 1, 2, 2, 2],
    ],
    { pads: [1, 0, 0, 0, 0, 1] },
  ),
  conv('depthwise', depthwise, { ...ring, group: 3 }),
  conv('depthwise, stride 2', depthwise, { ...ring, group: 3, strides: [2, 2] }),
  conv('groups', grouped, { ...ring, group: 2 }),
  conv('groups, stride 2', grouped, { ...ring, group: 2, strides: [2, 2] }),
  conv('SAME_UPPER', plain, { auto_pad: 'SAME_UPPER', strides: [2, 2] }),
  conv('SAME_LOWER', plain, { auto_pad: 'SAME_LOWER', strides: [2, 2] }),
  conv(
    'SAME_UPPER, even kernel',
    [
      [1, 1, 4, 5],
      [2, 1, 2, 4],
    ],
    { auto_pad: 'SAME_UPPER' },
  ),
  conv('VALID', plain, { auto_pad: 'VALID' }),
  {
    name: 'weights that two nodes share',
    operator: 'Conv',
    inputs: { x: { shape: [1, 2, 4, 4] } },
    build: (b, { x }) => {
      const w = b.constant(wave(36), 'float32', [2, 2, 3, 3]);
      const once = b.op('Conv', [x, w], ring);
      return b.op('Conv', [b.op('Tanh', [once]), w], ring);
    },
  },
  computed('Conv', '3×3', plain, ring),
  computed('Conv', 'uneven stride', plain, { strides: [3, 2] }),
  computed('Conv', 'asymmetric', plain, { pads: [0, 1, 2, 0], strides: [2, 1] }),
  computed('Conv', 'dilation', plain, { pads: [2, 2, 2, 2], dilations: [2, 2], strides: [2, 2] }),
  computed('Conv', 'groups', grouped, { ...ring, strides: [2, 2] }, 2),
  computed('Conv', '1-D', line),
];

const up: Sizes = [
  [1, 3, 3, 4],
  [3, 2, 3, 3],
];
const upGrouped: Sizes = [
  [1, 4, 3, 3],
  [4, 2, 3, 3],
];

const transposes: LawCase[] = [
  transposed('3×3', up),
  transposed('stride 2', up, { ...ring, strides: [2, 2] }),
  transposed('stride 2, output padding', up, {
    ...ring,
    strides: [2, 2],
    output_padding: [1, 1],
  }),
  transposed('asymmetric', up, { pads: [0, 0, 1, 1], strides: [2, 2] }),
  transposed('dilation', up, { dilations: [2, 2], pads: [1, 1, 1, 1] }),
  transposed('groups', upGrouped, { group: 2, strides: [2, 2] }),
  transposed(
    'depthwise',
    [
      [1, 2, 3, 3],
      [2, 1, 4, 4],
    ],
    { group: 2, strides: [2, 2], pads: [1, 1, 1, 1] },
  ),
  transposed(
    '1-D',
    [
      [1, 2, 5],
      [2, 3, 3],
    ],
    { strides: [2] },
  ),
  computed('ConvTranspose', 'stride 2', up, {
    ...ring,
    strides: [2, 2],
    output_padding: [1, 1],
  }),
  computed('ConvTranspose', 'groups', upGrouped, { strides: [2, 2] }, 2),
];

const folded = (
  name: string,
  shape: number[],
  image: number[],
  block: number[],
  attributes: Attributes = {},
): LawCase => ({
  name,
  operator: 'Col2Im',
  inputs: { x: { shape } },
  opset: 18,
  build: (b, { x }) => b.op('Col2Im', [x, b.ints(image), b.ints(block)], attributes),
});

const folds: LawCase[] = [
  folded('overlapping', [2, 18, 12], [5, 6], [3, 3]),
  folded('side by side', [1, 8, 6], [4, 6], [2, 2], { strides: [2, 2] }),
  folded('pads and dilation', [1, 4, 25], [5, 5], [2, 2], {
    dilations: [2, 2],
    pads: [1, 1, 1, 1],
  }),
  folded('oblong', [1, 3, 6], [3, 4], [1, 3], { strides: [1, 1] }),
];

export const convolution: LawCase[] = [...convs, ...transposes, ...folds];
