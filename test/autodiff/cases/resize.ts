/** Law cases of Resize. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { LawCase } from '../law.ts';
import { onX } from './case.ts';

const byScales = (
  name: string,
  shape: number[],
  scales: number[],
  attributes: Attributes = {},
  opset = 17,
): LawCase =>
  onX('Resize', `${name}, scales`, shape, {
    attributes,
    rest: (b) => [undefined, b.constant(scales)],
    opset,
  });

const bySizes = (
  name: string,
  shape: number[],
  sizes: number[],
  attributes: Attributes = {},
  opset = 17,
): LawCase =>
  onX('Resize', `${name}, sizes`, shape, {
    attributes,
    rest: (b) => [undefined, undefined, b.ints(sizes)],
    opset,
  });

const image = [1, 2, 3, 4];
const asymmetric = { coordinate_transformation_mode: 'asymmetric' };
const corners = { coordinate_transformation_mode: 'align_corners' };
const torch = { coordinate_transformation_mode: 'pytorch_half_pixel' };
const linear = { mode: 'linear' };
const cubic = { mode: 'cubic', cubic_coeff_a: -0.75 };

export const resize: LawCase[] = [
  byScales('nearest ×2, asymmetric floor', image, [1, 1, 2, 2], {
    ...asymmetric,
    nearest_mode: 'floor',
  }),
  byScales('nearest ×2, defaults', image, [1, 1, 2, 2]),
  byScales('nearest ×3 and ×4, round_prefer_ceil', [1, 1, 2, 3], [1, 1, 3, 4], {
    nearest_mode: 'round_prefer_ceil',
  }),
  byScales('nearest ×2, half_pixel ceil', image, [1, 1, 2, 2], { nearest_mode: 'ceil' }),
  byScales('nearest ×2, asymmetric ceil', image, [1, 1, 2, 2], {
    ...asymmetric,
    nearest_mode: 'ceil',
  }),
  byScales('nearest ×1.5', image, [1, 1, 1.5, 1.5], { ...asymmetric, nearest_mode: 'floor' }),
  byScales('nearest ×2.1, twice as many', [1, 1, 5, 4], [1, 1, 2.1, 2], {
    ...asymmetric,
    nearest_mode: 'floor',
  }),
  byScales('nearest ×2.1, twice as many, defaults', [1, 1, 8, 4], [1, 1, 2.1, 2]),
  byScales('nearest ×0.5', [1, 1, 4, 6], [1, 1, 0.5, 0.5], {
    ...asymmetric,
    nearest_mode: 'floor',
  }),
  bySizes('nearest', image, [1, 2, 6, 8], { ...asymmetric, nearest_mode: 'floor' }),
  bySizes('nearest, uneven', image, [1, 2, 5, 3], { nearest_mode: 'floor' }),
  byScales('1-D nearest', [1, 2, 4], [1, 1, 2]),
  byScales('1-D linear', [1, 2, 4], [1, 1, 2], linear),
  byScales('linear, half_pixel', image, [1, 1, 2, 2], linear),
  byScales('linear, asymmetric', image, [1, 1, 2, 1.5], { ...linear, ...asymmetric }),
  byScales('linear, align_corners', image, [1, 1, 2, 2], { ...linear, ...corners }),
  bySizes('linear, align_corners', image, [1, 2, 5, 7], { ...linear, ...corners }),
  bySizes('linear, pytorch_half_pixel', image, [1, 2, 1, 7], { ...linear, ...torch }),
  byScales('linear, a scale that rounds down', [1, 1, 5, 5], [1, 1, 1.3, 0.7], linear),
  byScales('cubic, half_pixel', [1, 1, 4, 5], [1, 1, 2, 2], cubic),
  bySizes('cubic, align_corners', [1, 1, 4, 5], [1, 1, 7, 3], { ...cubic, ...corners }),
  byScales('cubic, exclude_outside', [1, 1, 4, 4], [1, 1, 1.5, 1.5], {
    ...cubic,
    exclude_outside: 1,
  }),
  byScales('linear, antialias', [1, 1, 8, 6], [1, 1, 0.5, 0.5], { ...linear, antialias: 1 }, 18),
  bySizes('cubic, antialias', [1, 1, 8, 6], [1, 1, 3, 4], { ...cubic, antialias: 1 }, 18),
  byScales('linear, axes', image, [2, 1.5], { ...linear, axes: [3, 2] }, 18),
  bySizes('linear, negative axes', image, [7, 5], { ...linear, axes: [-2, -1] }, 18),
  bySizes('nearest, axes', image, [6, 8], { axes: [2, 3] }, 19),
  byScales('3-D nearest', [1, 1, 2, 2, 2], [1, 1, 2, 2, 2]),
];
