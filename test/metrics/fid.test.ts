/** FID on given vectors, against SciPy. */

import { expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { fid } from '../../src/metrics/fid.ts';
import { unstack } from '../../src/tensor/batch.ts';
import { mapped, scatter } from './scatter.ts';

const first = (n: number, d: number) => unstack(scatter([n, d], 1));
const second = (n: number, d: number) =>
  unstack(mapped(scatter([n, d], 2), (v) => Math.fround(v * 0.5) + 0.25));

// numpy 2.4.6, scipy 1.17.1: np.mean, np.cov(rowvar=False), scipy.linalg.sqrtm(s1 @ s2).real,
// more and fewer images than features on either side.
test.each([
  [12, 9, 3, 0.6959457056435747],
  [40, 30, 6, 1.1856301760890853],
  [5, 7, 16, 6.749896715047458],
  [30, 4, 8, 3.150799076978305],
])('%i and %i vectors of %i', (n, m, d, expected) => {
  expect(fid(first(n, d), second(m, d))).toBeCloseTo(expected, 6);
  expect(fid(second(m, d), first(n, d))).toBeCloseTo(expected, 6);
});

test.each([
  [9, 3],
  [4, 7],
  [40, 6],
  [5, 16],
])('a set of %i vectors of %i has no distance to itself, nor less', (n, d) => {
  const distance = fid(first(n, d), first(n, d));
  expect(distance).toBeCloseTo(0, 8);
  expect(distance).toBeGreaterThanOrEqual(0);
});

test('a set that is only moved: the squared distance of the means', () => {
  const moved = first(8, 5).map((v) => mapped(v, (x) => x + 0.5));
  expect(fid(first(8, 5), moved)).toBeCloseTo(5 * 0.25, 6);
});

test('one image has no covariance', () =>
  expect(() => fid(first(1, 4), first(5, 4))).toThrow(
    'at least two images on each side, got 1 and 5',
  ));

test('vectors of different lengths', () => {
  expect(() => fid(first(3, 4), first(3, 5))).toThrow(UserError);
  expect(() => fid(first(3, 4), first(3, 5))).toThrow('different lengths, 4 and 5');
});
