/** Law cases of sampling at computed places. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
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

export const warping: LawCase[] = [
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
