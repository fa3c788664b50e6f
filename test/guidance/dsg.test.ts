import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { dsg, type DsgOptions } from '../../src/guidance/dsg.ts';
import type { Proposal } from '../../src/guidance/guidance.ts';
import { imageNorms, stack, unstack } from '../../src/tensor/batch.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { filled, linearSteps, randn } from '../helpers/diffusion.ts';

const SHAPE = [3, 3, 16, 16];
const n = 3 * 16 * 16;
const [step] = linearSteps(20);

const mean = randn(1, 0, SHAPE);
const noise = randn(2, 0, SHAPE);
const gradient = randn(3, 0, SHAPE);
const sigmaTensor = map(randn(4, 0, SHAPE), (v) => 0.05 * Math.exp(0.3 * v));

function propose(sigma: number | Tensor, g = gradient): Proposal {
  const sample = map(mean, (mu, i) => mu + sigmaAt(sigma, i) * noise.data[i]!);
  return { step: step!, sample, mean, sigma, gradient: g, loss: undefined, eps: noise, ofX0: 1 };
}

function map({ shape, data }: Tensor, f: (value: number, i: number) => number): Tensor {
  return { shape, data: data.map(f) };
}

function sigmaAt(sigma: number | Tensor, i: number): number {
  return typeof sigma === 'number' ? sigma : sigma.data[i]!;
}

/** x' - mu of a guided step. */
function displacement(options: DsgOptions, proposal: Proposal): Tensor {
  const x = dsg(options).apply(proposal);
  expect(x.shape).toEqual(SHAPE);
  return map(x, (value, i) => value - mean.data[i]!);
}

/** The largest |a/b - 1|. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  return Math.max(...Array.from(actual, (a, i) => Math.abs(a / expected[i]! - 1)));
}

function largestDifference(a: Tensor, b: Tensor): number {
  return a.data.reduce((max, v, i) => Math.max(max, Math.abs(v - b.data[i]!)), 0);
}

const GRADIENTS: [string, Tensor][] = [
  ['random', gradient],
  ['of one value', map(filled(SHAPE, 0), (_, i) => (i % n === 7 ? -3 : 0))],
  ['huge', map(gradient, (v) => v * 1e30)],
  ['minute', map(gradient, (v) => v * 1e-30)],
  ['zero', filled(SHAPE, 0)],
  ['along the noise', noise],
  ['against the noise', map(noise, (v) => -v)],
];

describe('the spherical constraint', () => {
  for (const rate of [0, 0.1, 0.2, 0.9])
    it.each(GRADIENTS)(`holds at rate ${rate} for a gradient that is %s`, (_, g) => {
      const norms = imageNorms(displacement({ rate, interval: 1 }, propose(0.3, g)));
      expect(relativeError(norms, Array(3).fill(Math.sqrt(n) * 0.3))).toBeLessThan(1e-6);
    });

  it('takes the root mean square of a learned sigma', () => {
    const norms = imageNorms(displacement({ rate: 0.2, interval: 1 }, propose(sigmaTensor)));
    expect(relativeError(norms, imageNorms(sigmaTensor))).toBeLessThan(1e-6);
  });

  it("takes each image's first learned sigma where asked to", () => {
    const options: DsgOptions = { rate: 0.2, interval: 1, radius: 'first-pixel' };
    const norms = imageNorms(displacement(options, propose(sigmaTensor)));
    const radii = unstack(sigmaTensor).map((sigma) => Math.sqrt(n) * sigma.data[0]!);
    expect(relativeError(norms, radii)).toBeLessThan(1e-6);
  });

  it('is the same for either radius where sigma is one number', () => {
    const options = { rate: 0.2, interval: 1 };
    const rms = dsg({ ...options, radius: 'rms' });
    const firstPixel = dsg({ ...options, radius: 'first-pixel' });
    expect(firstPixel.apply(propose(0.3))).toEqual(rms.apply(propose(0.3)));
    const constant = propose(filled(SHAPE, 0.25));
    expect(largestDifference(firstPixel.apply(constant), rms.apply(constant))).toBeLessThan(1e-6);
  });

  it('leaves the mean where sigma is 0', () => {
    expect(dsg({ rate: 0.2, interval: 1 }).apply(propose(0))).toEqual(mean);
  });
});

describe('the direction', () => {
  it.each([
    ['rate 0: the noise', 0, noise, 1],
    ['rate 1: against the gradient', 1, gradient, -1],
  ])('%s', (_, rate, direction, sign) => {
    const norms = imageNorms(direction);
    const expected = map(
      direction,
      (v, i) => (sign * 0.3 * Math.sqrt(n) * v) / norms[Math.floor(i / n)]!,
    );
    const actual = displacement({ rate, interval: 1 }, propose(0.3));
    expect(largestDifference(actual, expected)).toBeLessThan(1e-6);
  });

  it('between: the mix of both before it is normalised', () => {
    const [w, r] = [0.2, Math.sqrt(n) * 0.3];
    const [gNorms, p] = [imageNorms(gradient), propose(0.3)];
    const mix = map(noise, (_, i) => {
      const d = p.sample.data[i]! - mean.data[i]!;
      return d + w * ((-r * gradient.data[i]!) / gNorms[Math.floor(i / n)]! - d);
    });
    const mixNorms = imageNorms(mix);
    const expected = map(mix, (m, i) => (r * m) / mixNorms[Math.floor(i / n)]!);
    expect(largestDifference(displacement({ rate: w, interval: 1 }, p), expected)).toBeLessThan(
      1e-6,
    );
  });

  it('at rate 1 without a gradient is none: the step stays at the mean', () => {
    expect(dsg({ rate: 1, interval: 1 }).apply(propose(0.3, filled(SHAPE, 0)))).toEqual(mean);
  });
});

describe('dsg', () => {
  it.each([0.3, sigmaTensor])('guides a batch as its images alone (%#)', (sigma) => {
    const guidance = dsg({ rate: 0.2, interval: 1 });
    const batch = propose(sigma);
    const alone = unstack(batch.sample).map((_, i) => {
      const image = (t: Tensor) => stack([unstack(t)[i]!]);
      const one = guidance.apply({
        ...batch,
        sample: image(batch.sample),
        mean: image(mean),
        gradient: image(gradient),
        sigma: typeof sigma === 'number' ? sigma : image(sigma),
      });
      return unstack(one)[0]!;
    });
    expect(guidance.apply(batch)).toEqual(stack(alone));
  });

  it('leaves the proposal as it was', () => {
    const proposal = propose(sigmaTensor);
    const copy = structuredClone(proposal);
    dsg({ rate: 0.2, interval: 1 }).apply(proposal);
    expect(proposal).toEqual(copy);
  });

  it.each([
    [1, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]],
    [2, [8, 6, 4, 2, 0]],
    [4, [8, 4, 0]],
    [20, [0]],
  ])('at interval %i guides the steps whose index is a multiple', (interval, indices) => {
    const { guides } = dsg({ rate: 0.2, interval });
    expect(
      linearSteps(10)
        .filter(guides)
        .map(({ index }) => index),
    ).toEqual(indices);
  });

  it.each([
    [{ rate: -0.1, interval: 1 }, /guidance rate -0.1/],
    [{ rate: 1.1, interval: 1 }, /guidance rate 1.1/],
    [{ rate: NaN, interval: 1 }, /guidance rate NaN/],
    [{ rate: 0.2, interval: 0 }, /interval 0/],
    [{ rate: 0.2, interval: 1.5 }, /interval 1.5/],
  ])('refuses %o', (options, message) => {
    expect(() => dsg(options)).toThrow(UserError);
    expect(() => dsg(options)).toThrow(message);
  });
});
