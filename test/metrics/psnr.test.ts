/** PSNR against scikit-image, and its definition. */

import { expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { psnr } from '../../src/metrics/psnr.ts';
import { tensor, zeros } from '../../src/tensor/tensor.ts';
import { goldenPairs } from './golden.ts';

test.each(goldenPairs)('$name', ({ a, b, psnr: expected }) => {
  expect(psnr(a, b)).toBeCloseTo(expected, 8);
  expect(psnr(b, a)).toBe(psnr(a, b));
});

test('equal images', () => expect(psnr(zeros([3, 2, 2]), zeros([3, 2, 2]))).toBe(Infinity));

test('opposite ends of the range are 0 dB, and values beyond it count as its ends', () => {
  const image = (v: number) => tensor([3, 1, 1], new Float32Array(3).fill(v));
  expect(psnr(image(-1), image(1))).toBe(0);
  expect(psnr(image(-3), image(1.5))).toBe(0);
  expect(psnr(image(0), image(0.2))).toBeCloseTo(20, 5);
});

test('NaN is not hidden', () =>
  expect(psnr(tensor([1], Float32Array.of(NaN)), zeros([1]))).toBeNaN());

test('different shapes', () => {
  const compare = () => psnr(zeros([3, 2, 2]), zeros([3, 2, 3]));
  expect(compare).toThrow(UserError);
  expect(compare).toThrow('psnr: expected two images of one shape, got [3,2,2] and [3,2,3]');
});
