/** Law cases of regions that are resampled. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { LawCase } from '../law.ts';
import { apart } from './case.ts';

/**
 * x₁, y₁, x₂, y₂ of regions of which bins of 2×3 have sides of whole pixels: their points, two along each side,
 * are a quarter of a pixel from pixels. One is in part outside of the image, and one is outside of it.
 */
const whole = [1, 1, 4, 3, -3, -2, 3, 2, 4, 3, 7, 7, 12, 12, 15, 14];
const images = [0, 1, 1, 0];

const aligned = (
  name: string,
  attributes: Attributes,
  { rois = whole, computed = true, values = apart(120, 0.5) } = {},
): LawCase => ({
  name,
  operator: 'RoiAlign',
  inputs: {
    x: { shape: [2, 2, 5, 6], values },
    ...(computed && { rois: { shape: [4, 4], values: rois } }),
  },
  build: (b, { x, rois: given }) => {
    const regions = given ?? b.constant(rois, 'float32', [4, 4]);
    const bins = { output_height: 2, output_width: 3 };
    return b.op('RoiAlign', [x, regions, b.ints(images)], { ...bins, ...attributes });
  },
});

const corners = { coordinate_transformation_mode: 'output_half_pixel' };
const halves = whole.map((v) => v + 0.5);
/** Of several sizes, so that bins have one, two and three points along a side. */
const several = [0.5, 1, 5, 4.2, 1.7, 0.4, 2.1, 0.9, -2, -1.3, 6.2, 5.1, 3, 2, 9.5, 3.1];

/** None is twice another, so that the largest weighed pixel is the nearest one. */
const alike = apart(120).map((v) => v + 45);

export const regions: LawCase[] = [
  aligned('mean', { sampling_ratio: 2 }, { rois: halves }),
  aligned(
    'mean, scaled',
    { sampling_ratio: 2, spatial_scale: 0.5 },
    { rois: halves.map((v) => 2 * v) },
  ),
  aligned('mean, not moved by half a pixel', { sampling_ratio: 2, ...corners }),
  aligned('mean, one point', { sampling_ratio: 1 }, { rois: whole.map((v) => v + 0.25) }),
  aligned('mean, three points', { sampling_ratio: 3 }, { rois: several, computed: false }),
  aligned('mean, points by size', {}, { rois: several, computed: false }),
  aligned('mean, points by size, not moved', corners, { rois: several, computed: false }),
  aligned(
    'mean, points by size, scaled',
    { spatial_scale: 0.7 },
    { rois: several, computed: false },
  ),
  aligned('largest', { sampling_ratio: 2, mode: 'max' }, { rois: several, computed: false }),
  aligned(
    'largest, one point',
    { sampling_ratio: 1, mode: 'max' },
    { rois: whole.map((v) => v + 0.25), values: alike },
  ),
  aligned(
    'largest, not moved',
    { sampling_ratio: 1, mode: 'max', ...corners },
    { rois: several, computed: false },
  ),
  aligned('largest, points by size', { mode: 'max' }, { rois: several, computed: false }),
];
