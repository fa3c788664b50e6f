/** Images brought to size. */

import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { fit, FIT_MODES, type FitMode, type Size } from '../../src/image/fit.ts';
import { tensor, zeros } from '../../src/tensor/tensor.ts';
import { drawn, ramp } from '../helpers/images.ts';

const line = (...values: number[]) => tensor([1, 1, values.length], Float32Array.from(values));
const fitted = (values: number[], width: number, mode: 'crop' | 'pad') => [
  ...fit(line(...values), { height: 1, width }, mode).data,
];

test.each(FIT_MODES)('%s to the same size changes nothing', (mode) => {
  const image = ramp([3, 5, 6]);
  expect(fit(image, { height: 5, width: 6 }, mode)).toBe(image);
});

test.each([
  { values: [1, 2, 3, 4, 5], width: 3, expected: [2, 3, 4] },
  { values: [1, 2, 3, 4, 5, 6], width: 3, expected: [2, 3, 4] },
  { values: [1, 2, 3, 4], width: 1, expected: [2] },
])('crop $values to $width', ({ values, width, expected }) =>
  expect(fitted(values, width, 'crop')).toEqual(expected),
);

// numpy.pad(values, ((w - n) // 2, (w - n + 1) // 2), mode='reflect'), the last three mode='edge'.
test.each([
  { values: [1, 2, 3], width: 4, expected: [1, 2, 3, 2] },
  { values: [1, 2, 3], width: 7, expected: [3, 2, 1, 2, 3, 2, 1] },
  { values: [1, 2, 3], width: 8, expected: [1, 1, 1, 2, 3, 3, 3, 3] },
  { values: [1, 2], width: 5, expected: [1, 1, 2, 2, 2] },
  { values: [1], width: 3, expected: [1, 1, 1] },
])('pad $values to $width', ({ values, width, expected }) =>
  expect(fitted(values, width, 'pad')).toEqual(expected),
);

test.each([
  [5, 7],
  [6, 7],
  [11, 8],
  [40, 41],
])('crop undoes pad to %ix%i', (height, width) => {
  const image = ramp([3, 5, 7]);
  const padded = fit(image, { height, width }, 'pad');
  expect(padded.shape).toEqual([3, height, width]);
  expect(fit(padded, { height: 5, width: 7 }, 'crop')).toEqual(image);
});

test('what cannot be done is refused, by name and size', () => {
  const image = ramp([3, 5, 7]);
  const refused = (mode: 'crop' | 'pad', height: number, width: number) => () =>
    fit(image, { height, width }, mode);
  expect(refused('crop', 6, 7)).toThrow(UserError);
  expect(refused('crop', 5, 8)).toThrow('cannot crop an image of 5x7 to 5x8');
  expect(refused('pad', 8, 6)).toThrow(UserError);
  expect(refused('pad', 4, 7)).toThrow('cannot pad an image of 5x7 to 4x7');
});

describe('resize', () => {
  const half = ramp([1, 7, 9]);
  half.data.forEach((v, i) => (half.data[i] = v / 2));

  // Pillow 13: a = (((x + 2 * y) % 32) / 16 - 1) / 2 as float32 of 7 rows and 9 columns;
  // r = asarray(Image.fromarray(a, 'F').resize((w, h), Image.LANCZOS));
  // r.flat[0], r.flat[w + 1], r.flat[-1], r.sum(), (r ** 2).sum()
  test.each([
    { h: 4, w: 5, values: [-0.46345994, -0.30185577, 0.08845993, -3.7499995, 1.1307758] },
    { h: 10, w: 13, values: [-0.5054459, -0.46032518, 0.13044587, -24.375002, 7.4546165] },
    { h: 3, w: 12, values: [-0.46103156, -0.29635206, 0.086031556, -6.7500005, 2.0189161] },
  ])('to $h x $w as Pillow does', ({ h, w, values }) => {
    const { shape, data } = fit(half, { height: h, width: w }, 'resize');
    expect(shape).toEqual([1, h, w]);
    const sum = data.reduce((a, v) => a + v, 0);
    const squares = data.reduce((a, v) => a + v * v, 0);
    [data[0], data[w + 1], data.at(-1), sum, squares].forEach((v, i) =>
      expect(v).toBeCloseTo(values[i]!, 5),
    );
  });

  test('keeps channels apart, constants constant and the range', () => {
    const flat = drawn([3, 6, 6], (c) => c / 2 - 0.5);
    const { data } = fit(flat, { height: 9, width: 4 }, 'resize');
    data.forEach((v, i) => expect(v).toBeCloseTo(Math.floor(i / 36) / 2 - 0.5, 6));
    const step = drawn([1, 1, 8], (_, __, x) => (x < 4 ? -1 : 1));
    const resized = fit(step, { height: 1, width: 32 }, 'resize').data;
    expect([Math.min(...resized), Math.max(...resized)]).toEqual([-1, 1]);
  });
});

test.each<[mode: FitMode, size: Size, hint: string]>([
  ['crop', { height: 20, width: 20 }, 'pad or resize it instead'],
  ['pad', { height: 10, width: 10 }, 'crop or resize it instead'],
  ['crop', { height: 20, width: 10 }, 'resize it instead'],
  ['pad', { height: 20, width: 10 }, 'resize it instead'],
])('an image of 16x16 that cannot be brought by %s to %j', (mode, size, hint) => {
  const attempt = (): unknown => fit(zeros([3, 16, 16]), size, mode);
  expect(attempt).toThrow(expect.objectContaining({ hint }) as Error);
});
