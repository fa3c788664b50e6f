/** Colours of errors. */
import { expect, test } from 'vitest';
import { ramp } from '../../src/image/heat.ts';
import { brightest, errorMap } from '../../src/report/error-map.ts';
import { tensor, zeros } from '../../src/tensor/tensor.ts';

const flat = (v: number) => tensor([3, 1, 1], new Float32Array(3).fill(v));
const bytes = (image: { data: Float32Array }) => Array.from(image.data, (v) => (v + 1) * 127.5);

test.each([
  [0, ramp[0]],
  [brightest / 5, ramp[1]],
  [brightest, ramp[5]],
  [1, ramp[5]],
])('an error of %d', (error, colour) =>
  bytes(errorMap(flat(error), zeros([3, 1, 1]))).forEach((v, c) =>
    expect(v).toBeCloseTo(colour[c]!, 3),
  ),
);

test('channels count by their mean, whatever their sign', () => {
  const odd = bytes(errorMap(tensor([3, 1, 1], Float32Array.of(0.3, -0.3, 0)), flat(0)));
  bytes(errorMap(flat(0.2), flat(0))).forEach((v, c) => expect(odd[c]).toBeCloseTo(v, 4));
});

test('values beyond [-1,1] are no error that a file would show', () =>
  expect(bytes(errorMap(flat(4), flat(1)))[0]).toBeCloseTo(0, 4));
