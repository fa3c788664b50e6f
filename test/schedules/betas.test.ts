import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { betas, type BetaSchedule } from '../../src/schedules/betas.ts';

/** Literals printed by NumPy in float64: linspace, its square over roots, and the cosine rule. */
const LITERALS: [BetaSchedule, Record<number, number>][] = [
  [{ name: 'linear' }, { 0: 1e-4, 500: 0.01005995995995996, 999: 0.02 }],
  [
    { name: 'linear', timesteps: 100 },
    { 0: 0.001, 50: 0.1015050505050505, 99: 0.2 },
  ],
  [
    { name: 'linear', timesteps: 100, betaStart: 1e-4, betaEnd: 0.02 },
    { 0: 1e-4, 50: 0.01015050505050505, 99: 0.02 },
  ],
  [{ name: 'scaled_linear' }, { 0: 0.00085, 500: 0.00481495414171188, 999: 0.012 }],
  [
    { name: 'cosine' },
    { 0: 4.128422482196914e-5, 500: 0.003155691441585007, 998: 0.7499993929011166, 999: 0.999 },
  ],
  [{ name: 'linear', timesteps: 1, betaStart: 0.3, betaEnd: 0.4 }, { 0: 0.3 }],
];

describe('betas', () => {
  it.each(LITERALS)('%o', (schedule, literals) => {
    const values = betas(schedule);
    expect(values).toHaveLength(schedule.timesteps ?? 1000);
    for (const [t, literal] of Object.entries(literals))
      expect(Math.abs(values[Number(t)]! / literal - 1)).toBeLessThan(1e-12);
  });

  it('reach the alphaBar that the linear schedule is known for', () => {
    const alphaBar = betas({ name: 'linear' }).reduce((product, beta) => product * (1 - beta), 1);
    expect(alphaBar).toBeCloseTo(4.03582977e-5, 13);
  });

  it.each<[string, BetaSchedule, RegExp]>([
    ['an unknown name', { name: 'quadratic' }, /unknown beta schedule 'quadratic'/],
    ['a name of Object', { name: 'constructor' }, /unknown beta schedule/],
    ['no timesteps', { name: 'linear', timesteps: 0 }, /0 timesteps/],
    ['half a timestep', { name: 'cosine', timesteps: 10.5 }, /10.5 timesteps/],
    ['so few that beta passes 1', { name: 'linear', timesteps: 10 }, /beta is 1.* at timestep 5/],
    ['beta 0', { name: 'linear', betaStart: 0 }, /beta is 0 at timestep 0/],
    ['NaN', { name: 'scaled_linear', betaEnd: NaN }, /beta is NaN/],
    ['ends of a cosine', { name: 'cosine', betaEnd: 0.02 }, /do not apply/],
  ])('refuse %s', (_, schedule, message) => {
    expect(() => betas(schedule)).toThrow(UserError);
    expect(() => betas(schedule)).toThrow(message);
  });
});
