/** Law cases of sampling at computed places. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import { sizeOf } from '../../../src/tensor/tensor.ts';
import type { LawCase } from '../law.ts';

/**
 * Places in and around an image of these sizes, the last one first, all a quarter of a pixel away from
 * centres, where linear interpolation has kinks, and from half-way, where the nearest one jumps.
 */
function places(count: number, sizes: number[], corners = false): number[] {
  return Array.from({ length: count * sizes.length }, (_, i) => {
    const size = sizes[i % sizes.length] as number;
    const half = (corners ? size - 1 : size) / 2;
    const pixel = ((7 * i + 3) % (size + 3)) - 1.75 + 0.5 * (Math.floor(i / sizes.length) % 2);
    return (pixel - (size - 1) / 2) / half;
  });
}

const sample = (name: string, attributes: Attributes, opset = 20): LawCase => {
  const corners = attributes['align_corners'] === 1;
  const nearest = attributes['mode'] === 'nearest';
  return {
    name,
    operator: 'GridSample',
    inputs: {
      x: { shape: [2, 3, 4, 5] },
      grid: { shape: [2, 2, 4, 2], values: places(16, [5, 4], corners) },
    },
    ...(nearest && { wrt: ['x'] }),
    opset,
    build: (b, { x, grid }) => b.op('GridSample', [x, grid], attributes),
  };
};

const modes = ['linear', 'nearest', 'cubic'].flatMap((mode) =>
  ['zeros', 'border', 'reflection'].flatMap((padding_mode) =>
    [0, 1].map((align_corners) =>
      sample(`${mode}, ${padding_mode}${align_corners ? ', corners' : ''}`, {
        mode,
        padding_mode,
        align_corners,
      }),
    ),
  ),
);

const affine = (name: string, size: number[], attributes: Attributes = {}): LawCase => ({
  name,
  operator: 'AffineGrid',
  inputs: { theta: { shape: [2, size.length - 2, size.length - 1] } },
  opset: 20,
  build: (b, { theta }) => b.op('AffineGrid', [theta, b.ints(size)], attributes),
});

/** Offsets by which no tap reads within a quarter of a pixel's centre. */
const offBy = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => 0.25 + 0.5 * (i % 2) + (((3 * i) % 5) - 2));

const deformed = (
  name: string,
  inputs: Partial<Record<'x' | 'w' | 'bias' | 'mask' | 'offset', number[]>>,
  attributes: Attributes = {},
): LawCase => ({
  name,
  operator: 'DeformConv',
  inputs: Object.fromEntries(
    Object.entries(inputs).map(([key, shape]) => [
      key,
      { shape, ...(key === 'offset' && { values: offBy(sizeOf(shape)) }) },
    ]),
  ),
  opset: 19,
  build: (b, { x, w, offset, bias, mask }) =>
    b.op('DeformConv', [x, w, offset, bias, mask], attributes),
});

const deformable: LawCase[] = [
  deformed('plain', { x: [1, 2, 4, 5], w: [3, 2, 2, 2], offset: [1, 8, 3, 4] }),
  deformed('bias and mask', {
    x: [2, 2, 3, 3],
    w: [2, 2, 2, 2],
    offset: [2, 8, 2, 2],
    bias: [2],
    mask: [2, 4, 2, 2],
  }),
  deformed(
    'groups, pads, stride and dilation',
    { x: [1, 4, 5, 6], w: [4, 2, 3, 2], offset: [1, 24, 2, 3], mask: [1, 12, 2, 3] },
    { group: 2, offset_group: 2, pads: [1, 1, 2, 1], strides: [2, 2], dilations: [2, 3] },
  ),
];

export const warping: LawCase[] = [
  ...deformable,
  ...modes,
  sample('bilinear, as opset 16 calls it', { mode: 'bilinear' }, 17),
  sample('what is left out', {}),
  {
    name: 'in space',
    operator: 'GridSample',
    inputs: {
      x: { shape: [1, 2, 2, 3, 3] },
      grid: { shape: [1, 1, 2, 3, 3], values: places(6, [3, 3, 2]) },
    },
    opset: 20,
    build: (b, { x, grid }) => b.op('GridSample', [x, grid]),
  },
  affine('image', [2, 3, 3, 4]),
  affine('image, corners', [2, 3, 3, 4], { align_corners: 1 }),
  affine('in space', [2, 1, 2, 3, 2]),
  {
    name: 'turned by a matrix',
    operator: 'GridSample',
    inputs: {
      x: { shape: [1, 2, 4, 4] },
      // Half-way between pixels, wherever the steps of the law lead.
      theta: { shape: [1, 2, 3], values: [0.1, 0.05, 0, -0.05, 0.1, 0.02] },
    },
    opset: 20,
    build: (b, { x, theta }) =>
      b.op('GridSample', [x, b.op('AffineGrid', [theta, b.ints([1, 2, 2, 2])])]),
  },
];
