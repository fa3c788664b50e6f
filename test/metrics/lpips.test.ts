/** LPIPS on given features, against the reference formula in PyTorch. */

import { expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { lpips } from '../../src/metrics/lpips.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { mapped, scatter } from './scatter.ts';

const relu = (t: Tensor): Tensor => mapped(t, (v) => Math.max(0, v));
const a = [scatter([1, 4, 3, 5], 1), relu(scatter([1, 6, 2, 2], 2))];
const b = [scatter([1, 4, 3, 5], 3), relu(scatter([1, 6, 2, 2], 4))];
const weights = [mapped(scatter([4], 5), Math.abs), mapped(scatter([6], 6), Math.abs)];

/** The first layer without features at its first position, as after a ReLU. */
const dark = [mapped(a[0]!, (v) => v), a[1]!];
for (let c = 0; c < 4; c++) dark[0]!.data[c * 15] = 0;

// normalize_tensor, NetLinLayer and spatial_average of the reference code, in float64.
test.each([
  ['two layers', a, b, 1.3544280111601792],
  ['a position without features', dark, b, 1.3503133415836508],
  ['the same features', a, a, 0],
])('%s', (_, x, y, expected) => {
  expect(lpips(x, y, weights)).toBeCloseTo(expected, 6);
  expect(lpips(y, x, weights)).toBe(lpips(x, y, weights));
});

test('the length of a feature vector does not count', () => {
  const longer = a.map((t) => mapped(t, (v) => 8 * v));
  expect(lpips(longer, b, weights)).toBeCloseTo(lpips(a, b, weights), 8);
});

test.each([
  [[a[0]!], [b[0]!], weights, '2 linear layers, but features of 1 and 1 layers'],
  [[a[0]!], [b[1]!], [weights[0]!], 'features [1,4,3,5] and [1,6,2,2] under 4 weights'],
  [[a[0]!], [b[0]!], [weights[1]!], 'under 6 weights'],
])('layers that do not fit', (x, y, w, message) => {
  expect(() => lpips(x, y, w)).toThrow(UserError);
  expect(() => lpips(x, y, w)).toThrow(message);
});
