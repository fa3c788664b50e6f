/** Axes: positions and ticks. */
import { expect, test } from 'vitest';
import { linear, logarithmic, steps } from '../../src/report/scale.ts';

test.each([
  [
    [20, 31],
    [20, 25, 30, 35],
  ],
  [
    [0.61, 0.64],
    [0.61, 0.62, 0.63, 0.64],
  ],
  [
    [-3, 3],
    [-4, -2, 0, 2, 4],
  ],
  [
    [25, Infinity],
    [22, 24, 26, 28],
  ],
  [[], [0, 0.5, 1]],
])('linear axis of %j', (values, ticks) => {
  const scale = linear(values, 100, 0);
  expect(scale.ticks).toEqual(ticks);
  expect(scale.at(ticks[0]!)).toBeCloseTo(100, 9);
  expect(scale.at(ticks.at(-1)!)).toBeCloseTo(0, 9);
});

test.each([
  [
    [1, 30],
    [1, 2, 5, 10, 20],
  ],
  [
    [0.01, 40],
    [0.01, 0.1, 1, 10],
  ],
])('logarithmic axis of %j', (values, ticks) => {
  const scale = logarithmic(values, 0, 90);
  expect(scale.ticks).toEqual(ticks);
  expect(scale.at(values[0]!)).toBeCloseTo(0, 9);
  expect(scale.at(Math.sqrt(values[0]! * values[1]!))).toBeCloseTo(45, 9);
});

test('step counts are ticks, and one of them is in the middle', () => {
  const scale = steps([100, 25, 50, 25], 0, 10);
  expect(scale.ticks).toEqual([25, 50, 100]);
  expect(scale.at(50)).toBeCloseTo(5, 9);
  expect(steps([20], 0, 10).at(20)).toBe(5);
});
