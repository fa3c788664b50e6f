import { describe, expect, it } from 'vitest';
import { scaleAt, type ClassifierFree } from '../../src/guidance/classifier-free.ts';
import { linearSteps } from '../helpers/diffusion.ts';

const steps = linearSteps(1000);

describe('w over the steps', () => {
  it.each<[NonNullable<ClassifierFree['schedule']>, number, number, number]>([
    ['constant', 3, 3, 3],
    ['linear', 0.006, 3, 6],
    ['cosine', 0, 3, 6],
  ])('%s: from %d over %d to %d, and 3 in the mean', (schedule, first, middle, last) => {
    const w = steps.map(scaleAt({ scale: 3, schedule }, 1000));
    expect(w[0]).toBeCloseTo(first, 3);
    expect(w[499]).toBeCloseTo(middle, 1);
    expect(w[999]).toBeCloseTo(last, 6);
    expect(w.reduce((sum, v) => sum + v, 0) / 1000).toBeCloseTo(3, 1);
  });

  it('is 0 at noise levels outside the interval, whose upper end belongs to it', () => {
    const sigmas = steps.map(({ alphaBar }) => Math.sqrt((1 - alphaBar) / alphaBar));
    const [low, high] = [sigmas[700]!, sigmas[300]!];
    const w = steps.map(scaleAt({ scale: 2, interval: [low, high] }, 1000));
    expect(w.map((v) => v === 2)).toEqual(steps.map((_, i) => i >= 300 && i < 700));
    expect(new Set(w)).toEqual(new Set([0, 2]));
  });
});

describe('bad input', () => {
  it.each<[ClassifierFree, RegExp]>([
    [{ scale: NaN }, /scale NaN/],
    [{ scale: Infinity }, /scale Infinity/],
    [{ scale: 1, rescale: -0.1 }, /rescale -0.1/],
    [{ scale: 1, interval: [1, 1] }, /interval 1,1/],
  ])('%o', (options, message) => expect(() => scaleAt(options, 1000)).toThrow(message));
});
