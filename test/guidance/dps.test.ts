import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { dps } from '../../src/guidance/dps.ts';
import { none } from '../../src/guidance/none.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { linearSteps, randn } from '../helpers/diffusion.ts';

const SHAPE = [2, 3, 8, 8];
const all = linearSteps(10);
const proposal = {
  step: all[0]!,
  sample: randn(1, 0, SHAPE),
  mean: randn(2, 0, SHAPE),
  sigma: 0.1,
  gradient: randn(3, 0, SHAPE),
  loss: undefined,
  eps: randn(4, 0, SHAPE),
  ofX0: 1,
};

describe('dps', () => {
  it.each([0, 0.3, 0.5, 7])('subtracts %f of the gradient, exactly', (stepSize) => {
    const copy = structuredClone(proposal);
    const x = dps({ stepSize }).apply(proposal);
    expect(x.shape).toEqual(SHAPE);
    x.data.forEach((value, i) =>
      expect(value).toBe(
        Math.fround(proposal.sample.data[i]! - stepSize * proposal.gradient.data[i]!),
      ),
    );
    expect(proposal).toEqual(copy);
  });

  it('goes further in larger images, where it knows for which side a size is', () => {
    const whole = dps({ stepSize: 2 }).apply(proposal);
    expect(dps({ stepSize: 8, side: 32 }).apply(proposal)).toEqual(whole);
    const wide = (t: Tensor): Tensor => ({ ...t, shape: [1, 3, 4, 32] });
    const { data } = dps({ stepSize: 2, side: 16 }).apply({
      ...proposal,
      sample: wide(proposal.sample),
      gradient: wide(proposal.gradient),
    });
    const size = (2 * Math.sqrt(4 * 32)) / 16;
    data.forEach((v, i) =>
      expect(v).toBe(Math.fround(proposal.sample.data[i]! - size * proposal.gradient.data[i]!)),
    );
  });

  it.each([0, -1, NaN])('refuses a side of %f', (side) =>
    expect(() => dps({ stepSize: 1, side })).toThrow(`of side ${side}, expected a number above 0`),
  );

  it('guides every step', () => {
    expect(all.every(dps({ stepSize: 0.3 }).guides)).toBe(true);
  });

  it.each([-0.1, NaN, Infinity])('refuses a step size of %f', (stepSize) => {
    expect(() => dps({ stepSize })).toThrow(UserError);
    expect(() => dps({ stepSize })).toThrow(`step size ${stepSize}`);
  });
});

describe('none', () => {
  it('guides no step and takes the sample', () => {
    expect(all.some(none.guides)).toBe(false);
    expect(none.apply(proposal)).toBe(proposal.sample);
  });
});
