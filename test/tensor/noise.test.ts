/** Noise: what it depends on, its golden values, and whether it is normal, uniform, independent. */

import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { gaussian, noiseKey, uniforms, type Stream } from '../../src/tensor/noise.ts';

const key = noiseKey(7, 'a.png');

// Printed by a Philox in Python integers with math.log, cos and sin, keyed by hashlib.sha256:
// words of counter (block, step, stream, 0); (w0 + 0.5) / 2^32 and w1 / 2^32 make the first pair.
describe('golden values', () => {
  test('key', () => expect(key).toEqual([3301503724, 1232214545]));

  test('gaussian', () => {
    const expected = [
      0.5539698600769043, -0.4807980954647064, -0.9206965565681458, 0.44986963272094727,
      -1.0767537355422974, -0.9635473489761353, -0.4420136511325836, -1.2131552696228027,
    ];
    const { shape, data } = gaussian(key, 'step', 3, [2, 4]);
    expect(shape).toEqual([2, 4]);
    expected.forEach((v, i) => expect(data[i]).toBeCloseTo(v, 6));
  });

  test('uniforms', () =>
    expect([...uniforms(key, 'mask', 0, 2)]).toEqual([0.590253631093725, 0.685352456088967]));
});

describe('an element depends on seed, name, stream and step only', () => {
  test.each([1, 2, 3, 5, 6, 7, 8])('not on the %i elements asked for', (n) => {
    expect(gaussian(key, 'x_T', 0, [n]).data).toEqual(
      gaussian(key, 'x_T', 0, [3, 4, 4]).data.slice(0, n),
    );
    expect(uniforms(key, 'mask', 0, n)).toEqual(uniforms(key, 'mask', 0, 99).slice(0, n));
  });

  test('the name counts in normal form C', () => {
    expect(noiseKey(0, 'e\u0301.png')).toEqual(noiseKey(0, '\u00e9.png'));
    expect(noiseKey(1, '2.png')).not.toEqual(noiseKey(12, '.png'));
  });

  test.each([-1, 1.5, NaN, 2 ** 53])('%d is no seed', (seed) =>
    expect(() => noiseKey(seed, 'a.png')).toThrow(
      new UserError(`seed ${seed}, expected an integer from 0`),
    ),
  );

  test('large block numbers and steps do not wrap into small ones', () => {
    const first = [...gaussian(key, 'step', 0, [1]).data];
    for (const step of [2 ** 16, 2 ** 31, 2 ** 32 - 1])
      expect([...gaussian(key, 'step', step, [1]).data]).not.toEqual(first);
  });
});

const n = 196_608;
/** Five standard errors: a false alarm of one check in two million, were the seed not fixed. */
const bound = (variance: number) => 5 * Math.sqrt(variance / n);
const moment = (values: ArrayLike<number>, power: number) =>
  Array.prototype.reduce.call<
    ArrayLike<number>,
    [(s: number, v: number) => number, number],
    number
  >(values, (sum, v) => sum + v ** power / n, 0);

describe('distribution', () => {
  const { data } = gaussian(key, 'x_T', 0, [3, 256, 256]);

  test.each([
    { power: 1, expected: 0, variance: 1 },
    { power: 2, expected: 1, variance: 2 },
    { power: 3, expected: 0, variance: 15 },
    { power: 4, expected: 3, variance: 96 },
  ])('moment $power of the normal distribution is $expected', ({ power, expected, variance }) =>
    expect(Math.abs(moment(data, power) - expected)).toBeLessThan(bound(variance)),
  );

  test.each([
    { beyond: 1, share: 0.317310508 },
    { beyond: 2, share: 0.045500264 },
    { beyond: 3, share: 0.002699796 },
  ])('a share of $share lies beyond $beyond sigma', ({ beyond, share }) => {
    const found = data.filter((v) => Math.abs(v) > beyond).length / n;
    expect(Math.abs(found - share)).toBeLessThan(bound(share * (1 - share)));
  });

  test.each([
    { power: 1, expected: 1 / 2, variance: 1 / 12 },
    { power: 2, expected: 1 / 3, variance: 4 / 45 },
  ])('moment $power of the uniform distribution is $expected', ({ power, expected, variance }) => {
    const values = uniforms(key, 'sample', 0, n);
    expect(values.every((v) => v >= 0 && v < 1)).toBe(true);
    expect(Math.abs(moment(values, power) - expected)).toBeLessThan(bound(variance));
  });
});

describe('independence', () => {
  const values = (seed: number, name: string, stream: Stream, step: number) =>
    gaussian(noiseKey(seed, name), stream, step, [n]).data;
  const reference = values(7, 'a.png', 'step', 1);
  const correlation = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0) / n;

  test.each<[string, Float32Array]>([
    ['the next step', values(7, 'a.png', 'step', 2)],
    ['another stream', values(7, 'a.png', 'measurement', 1)],
    ['another seed', values(8, 'a.png', 'step', 1)],
    ['another name', values(7, 'b.png', 'step', 1)],
    ['the next element', reference.slice(1)],
    ['the element after', reference.slice(2)],
    ['the next block', reference.slice(4)],
  ])('from %s', (_, other) => {
    expect(Math.abs(correlation(reference, other))).toBeLessThan(bound(1));
    const squares = [reference, other].map((t) => t.map((v) => v * v - 1)) as [
      Float32Array,
      Float32Array,
    ];
    expect(Math.abs(correlation(...squares))).toBeLessThan(bound(4));
  });
});
