/** Law cases of pooling. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import { sizeOf } from '../../../src/tensor/tensor.ts';
import type { LawCase } from '../law.ts';
import { apart, onX } from './case.ts';

const average = (
  name: string,
  shape: number[],
  kernel: number[],
  attributes: Attributes = {},
  opset = 17,
): LawCase =>
  onX('AveragePool', name, shape, { attributes: { kernel_shape: kernel, ...attributes }, opset });

const max = (
  name: string,
  shape: number[],
  kernel: number[],
  attributes: Attributes = {},
): LawCase =>
  onX('MaxPool', name, shape, {
    attributes: { kernel_shape: kernel, ...attributes },
    values: apart(sizeOf(shape)),
  });

const image = [1, 2, 5, 6];
const ring = [1, 1, 1, 1];

const averages: LawCase[] = [
  average('2×2, stride 2', [2, 2, 4, 6], [2, 2], { strides: [2, 2] }),
  average('2×2, stride 2, rows left over', image, [2, 2], { strides: [2, 2] }),
  average('2×2, stride 2, ceil_mode', image, [2, 2], { strides: [2, 2], ceil_mode: 1 }),
  average('1×1', image, [1, 1]),
  average('oblong', image, [1, 3], { strides: [1, 3] }),
  average('overlapping', image, [3, 3]),
  average('overlapping, stride 2', image, [3, 3], { strides: [2, 2] }),
  average('stride beyond window', [1, 1, 7, 7], [2, 2], { strides: [3, 3] }),
  average('pads', image, [3, 3], { pads: ring }),
  average('pads that count', image, [3, 3], { pads: ring, count_include_pad: 1 }),
  average('asymmetric pads', image, [3, 3], { pads: [0, 1, 2, 0], strides: [2, 2] }),
  average('pads and ceil_mode', [1, 1, 6, 6], [3, 3], {
    pads: ring,
    strides: [2, 2],
    ceil_mode: 1,
  }),
  average('SAME_UPPER', image, [3, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2] }),
  average('SAME_LOWER', image, [2, 2], { auto_pad: 'SAME_LOWER' }),
  average('1-D', [2, 2, 6], [2], { strides: [2] }),
  average('1-D, overlapping', [2, 2, 6], [3], { strides: [1] }),
  average('3-D', [1, 1, 2, 4, 4], [2, 2, 2], { strides: [2, 2, 2] }),
  average('dilation', [1, 1, 6, 6], [2, 2], { dilations: [2, 2] }, 19),
  average(
    'pads that count, ceil_mode',
    image,
    [3, 3],
    {
      pads: ring,
      strides: [2, 2],
      ceil_mode: 1,
      count_include_pad: 1,
    },
    19,
  ),
];

const maxima: LawCase[] = [
  max('2×2, stride 2', [2, 2, 4, 4], [2, 2], { strides: [2, 2] }),
  max('overlapping', image, [3, 3]),
  max('overlapping, stride 2, pads', image, [3, 3], { strides: [2, 2], pads: ring }),
  max('ceil_mode', image, [2, 2], { strides: [2, 2], ceil_mode: 1 }),
  max('dilation', [1, 1, 6, 6], [2, 2], { dilations: [2, 2] }),
  max('SAME_UPPER', image, [3, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2] }),
  max('1-D', [2, 2, 6], [2], { strides: [2] }),
  max('3-D', [1, 1, 3, 3, 3], [2, 2, 2]),
  {
    name: 'indices already there',
    operator: 'MaxPool',
    inputs: { x: { shape: [1, 2, 4, 4], values: apart(32) } },
    build: (b, { x }) => {
      const [y] = b.ops('MaxPool', [x], { kernel_shape: [2, 2], strides: [1, 2] }, 2);
      return b.op('Exp', [y]);
    },
  },
];

const lp = (
  name: string,
  shape: number[],
  attributes: Attributes & { kernel_shape: number[] },
  opset = 18,
): LawCase => onX('LpPool', name, shape, { attributes, values: apart(sizeOf(shape)), opset });

const norms: LawCase[] = [
  lp('p 2 unless said', image, { kernel_shape: [2, 2], strides: [2, 2] }),
  lp('p 1', image, { kernel_shape: [2, 2], p: 1 }),
  lp('p 3', image, { kernel_shape: [2, 3], p: 3, strides: [2, 3] }),
  lp('p 4, overlapping', image, { kernel_shape: [3, 3], p: 4 }),
  lp('pads and strides', image, {
    kernel_shape: [3, 3],
    pads: [0, 1, 2, 0],
    strides: [2, 2],
    p: 3,
  }),
  lp('ceil_mode', image, { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
  lp('dilation', [1, 1, 6, 6], { kernel_shape: [2, 2], dilations: [2, 3] }),
  lp('SAME_UPPER', image, { kernel_shape: [3, 3], auto_pad: 'SAME_UPPER', strides: [2, 2] }),
  lp('SAME_LOWER', image, { kernel_shape: [2, 2], auto_pad: 'SAME_LOWER', p: 1 }),
  lp('VALID', image, { kernel_shape: [3, 2], auto_pad: 'VALID', strides: [1, 2] }),
  lp('1-D', [2, 2, 6], { kernel_shape: [3], p: 3 }),
  lp('3-D', [1, 1, 2, 3, 3], { kernel_shape: [2, 2, 2] }, 22),
  lp('as it was first', image, { kernel_shape: [2, 2], strides: [2, 1], p: 3 }, 17),
  ...[1, 2, 3].map((p) =>
    onX('GlobalLpPool', `p ${p}`, [2, 2, 3, 2], { attributes: { p }, values: apart(24) }),
  ),
  onX('GlobalLpPool', 'sequences', [2, 3, 5], { values: apart(30) }),
];

/** Places in an image `[1,2,4,4]` or a larger one, counted over the whole of it. */
const places = [5, 7, 13, 10, 16, 18, 24, 31];
const unpool = (name: string, opset: number, sizes?: number[]): LawCase =>
  onX('MaxUnpool', name, [1, 2, 2, 2], {
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    rest: (b) => [b.constant(places, 'int64', [1, 2, 2, 2]), sizes && b.ints(sizes)],
    opset,
  });

const unpooled: LawCase[] = [
  unpool('2×2', 17),
  unpool('2×2', 22),
  unpool('larger than its windows', 17, [1, 2, 5, 5]),
  onX('MaxUnpool', '1-D, pads', [2, 1, 3], {
    attributes: { kernel_shape: [3], strides: [2], pads: [1, 1] },
    rest: (b) => [b.constant([1, 2, 4, 5, 8, 9], 'int64', [2, 1, 3])],
  }),
  {
    name: 'where a pooling found its maxima',
    operator: 'MaxUnpool',
    inputs: { x: { shape: [1, 2, 4, 4], values: apart(32) } },
    build: (b, { x }) => {
      const window = { kernel_shape: [2, 2], strides: [2, 2] };
      const [y, indices] = b.ops('MaxPool', [x], window, 2);
      return b.op('MaxUnpool', [b.op('Tanh', [y]), indices], window);
    },
  },
];

export const pooling: LawCase[] = [
  ...averages,
  ...maxima,
  ...norms,
  ...unpooled,
  onX('GlobalAveragePool', 'images', [2, 3, 3, 4]),
  onX('GlobalAveragePool', 'sequences', [2, 3, 5]),
  onX('GlobalMaxPool', 'images', [2, 2, 3, 2], { values: apart(24) }),
];
