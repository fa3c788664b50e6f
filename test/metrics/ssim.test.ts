/** SSIM against scikit-image, and its laws. */

import { expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { ssim } from '../../src/metrics/ssim.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { ramp } from '../helpers/images.ts';
import { goldenPairs } from './golden.ts';

test.each(goldenPairs)('$name', ({ a, b, ssim: expected }) => {
  expect(ssim(a, b)).toBeCloseTo(expected, 10);
  expect(ssim(b, a)).toBeCloseTo(expected, 10);
});

test('an image equals itself', () => {
  expect(ssim(ramp([3, 12, 13]), ramp([3, 12, 13]))).toBeCloseTo(1, 12);
  expect(ssim(zeros([1, 11, 11]), zeros([1, 11, 11]))).toBe(1);
});

test('values beyond [-1,1] count as its ends', () => {
  const wide = ramp([1, 12, 12]);
  const clipped = ramp([1, 12, 12]);
  wide.data[40] = 3;
  clipped.data[40] = 1;
  expect(ssim(wide, ramp([1, 12, 12]))).toBe(ssim(clipped, ramp([1, 12, 12])));
});

test.each([
  [[3, 10, 64], 'ssim: expected images [C,H,W] of at least 11x11, got [3,10,64]'],
  [[3, 64, 10], 'got [3,64,10]'],
  [[64, 64], 'got [64,64]'],
])('%j is refused', (shape, message) => {
  const compare = () => ssim(zeros(shape), zeros(shape));
  expect(compare).toThrow(UserError);
  expect(compare).toThrow(message);
});

test('different shapes', () =>
  expect(() => ssim(zeros([3, 12, 12]), zeros([1, 12, 12]))).toThrow('[3,12,12] and [1,12,12]'));
