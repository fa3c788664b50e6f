/** Resampling against torch.nn.functional.interpolate(antialias=True) and adaptive_avg_pool1d, 2.13. */
import { expect, test } from 'vitest';
import { resamplingMatrix, type Resampling } from '../../src/tensor/filter.ts';

const signal = [0.5, -1.25, 2, 0.75, -0.5, 1.5, 3, -2.25];

test.each<[Resampling, number[]]>([
  ['bilinear', [0.184211, 0.702381, 0.848684]],
  ['bicubic', [0.208845, 0.768015, 0.771373]],
  ['area', [0.416667, 0.9375, 0.75]],
  ['bilinear', [-0.215909, 0.925926, 0.260417, 1.518519, -0.102273]],
  ['bicubic', [-0.283795, 0.990255, 0.153616, 1.737903, -0.104521]],
  ['area', [-0.375, 0.5, 0.125, 1.333333, 0.375]],
  ['bilinear', signal],
  ['bicubic', signal],
  ['area', signal],
  [
    'bilinear',
    [0.5, -0.375, -0.708333, 1.458333, 1.375, 0.541667, -0.291667, 0.5, 1.75, 2.75, 0.375, -2.25],
  ],
  [
    'bicubic',
    [
      0.615132, -0.514706, -0.945602, 1.66088, 1.65625, 0.504051, -0.479745, 0.328125, 1.85706,
      3.146412, 0.308824, -2.595395,
    ],
  ],
  ['area', [0.5, -0.375, -1.25, 2, 1.375, 0.75, -0.5, 0.5, 1.5, 3, 0.375, -2.25]],
])('%s to %j', (how, expected) => {
  const { rows, columns, data } = resamplingMatrix(8, expected.length, how);
  expect([rows, columns]).toEqual([expected.length, 8]);
  expected.forEach((value, i) => {
    const found = signal.reduce((sum, v, j) => sum + data[i * 8 + j]! * v, 0);
    expect(found).toBeCloseTo(value, 5);
  });
});
