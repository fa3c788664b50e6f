import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { betas } from '../../src/schedules/betas.ts';
import { respace, steps } from '../../src/schedules/respace.ts';

/**
 * Printed by guided-diffusion's rule for one section of 1000 timesteps. 21 steps pass through
 * 499.5, which the running sum reaches from below.
 */
// prettier-ignore
const TIMESTEPS: Record<number, number[]> = {
  2: [0, 999],
  20: [0, 53, 105, 158, 210, 263, 315, 368, 421, 473, 526, 578, 631, 684, 736, 789, 841, 894, 946, 999],
  21: [0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 499, 549, 599, 649, 699, 749, 799, 849, 899, 949, 999],
  50: [0, 20, 41, 61, 82, 102, 122, 143, 163, 183, 204, 224, 245, 265, 285, 306, 326, 347, 367, 387, 408, 428, 449, 469, 489, 510, 530, 550, 571, 591, 612, 632, 652, 673, 693, 714, 734, 754, 775, 795, 816, 836, 856, 877, 897, 917, 938, 958, 979, 999],
  100: [0, 10, 20, 30, 40, 50, 61, 71, 81, 91, 101, 111, 121, 131, 141, 151, 161, 172, 182, 192, 202, 212, 222, 232, 242, 252, 262, 272, 283, 293, 303, 313, 323, 333, 343, 353, 363, 373, 383, 394, 404, 414, 424, 434, 444, 454, 464, 474, 484, 494, 505, 515, 525, 535, 545, 555, 565, 575, 585, 595, 605, 616, 626, 636, 646, 656, 666, 676, 686, 696, 706, 716, 727, 737, 747, 757, 767, 777, 787, 797, 807, 817, 827, 838, 848, 858, 868, 878, 888, 898, 908, 918, 928, 938, 949, 959, 969, 979, 989, 999],
  // Four apart, and five apart at three places.
  250: Array.from({ length: 250 }, (_, i) => 4 * i + Number(i >= 42) + Number(i >= 125) + Number(i >= 208)),
  1000: Array.from({ length: 1000 }, (_, i) => i),
};

const linear = betas({ name: 'linear' });
const alphaBars = linear.map((_, t) => linear.slice(0, t + 1).reduce((p, b) => p * (1 - b), 1));

describe('respace', () => {
  it.each(Object.entries(TIMESTEPS))('to %s steps keeps the timesteps', (N, timesteps) => {
    const schedule = respace(linear, Number(N));
    expect(schedule.timesteps).toEqual(timesteps);
    expect([...schedule.alphaBar]).toEqual(timesteps.map((t) => alphaBars[t]));
  });

  it('to one step keeps the noisiest, where that rule has timestep 0', () =>
    expect(respace(linear, 1).timesteps).toEqual([999]));

  it('rounds halves to even', () => {
    expect(respace(linear.slice(0, 10), 7).timesteps).toEqual([0, 2, 3, 4, 6, 8, 9]);
  });

  it('keeps both ends and no timestep twice, whatever the count', () => {
    for (let N = 2; N <= 1000; N++) {
      const { timesteps } = respace(linear, N);
      expect([timesteps[0], timesteps.at(-1), new Set(timesteps).size]).toEqual([0, 999, N]);
    }
  });

  it.each([0, -1, 1001, 2.5, NaN, Infinity])('refuses %s steps', (N) => {
    expect(() => respace(linear, N)).toThrow(UserError);
    expect(() => respace(linear, N)).toThrow(`cannot sample in ${N} steps`);
  });
});

/** Printed by diffusers 0.42's DDIMScheduler with steps_offset 1, ascending. */
const SPACED = [
  ['leading', 5, [1, 201, 401, 601, 801]],
  ['leading', 7, [1, 143, 285, 427, 569, 711, 853]],
  ['trailing', 5, [199, 399, 599, 799, 999]],
  ['trailing', 7, [142, 285, 428, 570, 713, 856, 999]],
  ['linspace', 5, [0, 250, 500, 749, 999]],
  // Every other position is a half: its numpy.round(numpy.arange(1000, 0, -1000 / 16)) - 1 alone.
  // prettier-ignore
  ['trailing', 16, [61, 124, 187, 249, 311, 374, 437, 499, 561, 624, 687, 749, 811, 874, 937, 999]],
] as const;

describe('spacings of diffusers', () => {
  const latent = betas({ name: 'scaled_linear' });

  it.each(SPACED)('%s, %i steps', (spacing, N, timesteps) => {
    expect(respace(latent, N, { spacing, offset: 1 }).timesteps).toEqual(timesteps);
  });

  it('the last step ends at a clean image, or at the noise of timestep 0', () => {
    const last = (end: 'clean' | 'first') =>
      steps(respace(latent, 5, { spacing: 'leading', offset: 1, end })).at(-1);
    expect(last('clean')?.alphaBarPrev).toBe(1);
    // final_alpha_cumprod of the same scheduler with set_alpha_to_one false.
    expect(last('first')?.alphaBarPrev).toBeCloseTo(0.9991499781608582, 7);
  });

  it.each(['linspace', 'leading', 'trailing'] as const)(
    '%s begins at a first timestep',
    (spacing) => {
      const { timesteps } = respace(new Float64Array(1000).fill(0.01), 5, { spacing, first: 200 });
      // Trailing timesteps end above 0, and here both ends are wanted.
      const way = spacing === 'trailing' ? 'linspace' : spacing;
      const whole = respace(new Float64Array(800).fill(0.01), 5, { spacing: way });
      expect(timesteps).toEqual(whole.timesteps.map((t) => t + 200));
      expect(timesteps[0]).toBe(200);
    },
  );

  it('refuses more steps than there are from the first timestep on', () => {
    expect(() => respace(new Float64Array(100).fill(0.01), 51, { first: 50 })).toThrow(
      'cannot sample in 51 steps, expected an integer from 1 to 50',
    );
  });

  it('refuses an offset that leads beyond the schedule, and says how many steps fit', () => {
    const message = expect.stringContaining('timestep 1000 is beyond 999') as string;
    const offset = { spacing: 'leading', offset: 1 } as const;
    expect(() => respace(latent, 1000, offset)).toThrow(
      expect.objectContaining({ message, hint: '999 steps fit' }),
    );
    expect(respace(latent, 999, offset).timesteps.at(-1)).toBe(999);
  });
});

describe('steps', () => {
  it.each([1, 2, 20, 1000])('of %i: noisiest first, with constants that compose', (N) => {
    const all = steps(respace(linear, N));
    expect(all.map(({ index }) => index)).toEqual(Array.from({ length: N }, (_, i) => N - 1 - i));
    expect(all.map(({ timestep }) => timestep)).toEqual(respace(linear, N).timesteps.toReversed());
    // The re-derived betas make the kept alphaBar again.
    let product = 1;
    for (const step of all.toReversed()) {
      expect(step.alphaBarPrev).toBeCloseTo(product, 12);
      product *= 1 - step.beta;
      expect(step.alphaBar).toBeCloseTo(product, 12);
    }
  });

  it('are the original betas when none is dropped', () => {
    const all = steps(respace(linear, 1000)).toReversed();
    all.forEach(({ beta }, t) => expect(beta).toBeCloseTo(linear[t]!, 12));
  });

  it('give the posterior variance as a product of Gaussians, 0 at the last step', () => {
    const all = steps(respace(linear, 20));
    for (const { index, beta, alphaBarPrev, posteriorVariance } of all) {
      const precision = (1 - beta) / beta + 1 / (1 - alphaBarPrev);
      expect(posteriorVariance).toBeCloseTo(index === 0 ? 0 : 1 / precision, 14);
    }
  });

  it('clip the posterior variance at the last step only', () => {
    const [last, before, ...rest] = steps(respace(linear, 20)).toReversed();
    expect(last!.posteriorVarianceClipped).toBe(before!.posteriorVariance);
    for (const step of [before!, ...rest])
      expect(step.posteriorVarianceClipped).toBe(step.posteriorVariance);
    const [only] = steps(respace(linear, 1));
    // A single step begins at pure noise.
    expect(only).toMatchObject({ index: 0, timestep: 999, alphaBarPrev: 1, posteriorVariance: 0 });
    expect(only!.posteriorVarianceClipped).toBe(only!.beta);
  });
});
