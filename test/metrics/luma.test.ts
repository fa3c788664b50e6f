/** Luma and borders. */

import { expect, test } from 'vitest';
import { luma, withoutBorder } from '../../src/metrics/luma.ts';
import { psnr } from '../../src/metrics/psnr.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { ramp } from '../helpers/images.ts';
import { scatter } from './scatter.ts';

// scikit-image 0.26.0: rgb2ycbcr((x + 1) / 2)[..., 0] and peak_signal_noise_ratio(data_range=255)
const x = scatter([3, 12, 10], 11);
const y = scatter([3, 12, 10], 12);

test('BT.601 as MATLAB and scikit-image have it', () => {
  const bytes = Array.from(luma(x).data.subarray(0, 3), (v) => (v + 1) * 127.5);
  [213.42752259, 60.73330037, 103.37535483].forEach((v, i) => expect(bytes[i]).toBeCloseTo(v, 4));
  expect(psnr(luma(x), luma(y))).toBeCloseTo(12.968653694081238, 5);
});

test('black and white of the studio swing, and beyond', () => {
  const grey = (v: number) => luma(tensor([3, 1, 1], new Float32Array(3).fill(v))).data[0]! * 127.5;
  expect(grey(-1) + 127.5).toBeCloseTo(16, 4);
  expect(grey(1) + 127.5).toBeCloseTo(235, 4);
  expect(grey(7)).toBe(grey(1));
});

test('a border is left out on every side', () => {
  const inside = withoutBorder(ramp([2, 5, 6]), 2);
  expect(inside.shape).toEqual([2, 1, 2]);
  const at = (c: number, row: number, column: number) =>
    ramp([2, 5, 6]).data[(c * 5 + row) * 6 + column];
  expect([...inside.data]).toEqual([at(0, 2, 2), at(0, 2, 3), at(1, 2, 2), at(1, 2, 3)]);
  expect(withoutBorder(x, 0)).toBe(x);
});

test('a border that leaves nothing', () =>
  expect(() => withoutBorder(x, 5)).toThrow('a border of 5 pixels leaves nothing of 10×12'));
