import { expect, test } from 'vitest';
import { halfBits, halfValues } from '../../src/onnx/half.ts';

test('every float16 comes back from float32 as it was', () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(
    // NaNs lose their payload.
    (b) => (b & 0x7c00) !== 0x7c00 || (b & 0x3ff) === 0,
  );
  expect(halfBits(halfValues(bits))).toEqual(bits);
});

test.each([
  ['halfway to the even one below', 1 + 2 ** -11, 1],
  ['halfway to the even one above', 1 + 3 * 2 ** -11, 1 + 2 ** -9],
  ['the largest', 65504, 65504],
  ['what rounds beyond it', 65520, Infinity],
  ['the smallest', -(2 ** -24), -(2 ** -24)],
  ['half of it', 2 ** -25, 0],
  ['NaN', NaN, NaN],
])('%s', (_, value, expected) => {
  expect(halfValues(halfBits(Float32Array.of(value)))).toEqual(Float32Array.of(expected));
});

test('values of a part of an array', () => {
  expect(halfBits(Float32Array.of(0, 1, -2).subarray(1))).toEqual(Uint16Array.of(0x3c00, 0xc000));
});
