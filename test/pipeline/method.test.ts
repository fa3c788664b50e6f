/** Which steps a method takes, and how often. */
import { describe, expect, it } from 'vitest';
import {
  guidanceOf,
  passesFor,
  spanOf,
  type Method,
  type SamplerChoice,
} from '../../src/pipeline/method.ts';
import { linearSteps } from '../helpers/diffusion.ts';

/** Passes of 10 steps, noisiest first. */
function taken(method: Method, N = 10): number[] {
  const { count } = spanOf(method, N, 1000);
  const passes = passesFor(method, count)?.passes ?? (() => 1);
  return linearSteps(count).map(passes);
}

describe('averaged steps', () => {
  it('are the last step again and again, and N steps with the others', () => {
    const method: Method = { name: 'pigdm', average: 4, averageAt: 0.2 };
    expect(spanOf(method, 10, 1000)).toEqual({ first: 200, count: 7 });
    expect(taken(method)).toEqual([1, 1, 1, 1, 1, 1, 4]);
    const averaged = linearSteps(7).filter((s) => passesFor(method, 7)!.averages!(s));
    expect(averaged.map((s) => s.index)).toEqual([0]);
  });

  it('go with time travel, which the last step has no part in', () => {
    const method: Method = { name: 'ugd', strength: 1, average: 3, timeTravel: 2, travelFrom: 0.5 };
    expect(taken(method)).toEqual([1, 1, 1, 1, 2, 2, 2, 3]);
  });

  it('are none with 1', () => {
    expect(spanOf({ name: 'pigdm', average: 1 }, 10, 1000)).toEqual({ first: 0, count: 10 });
    expect(passesFor({ name: 'pigdm', average: 1 }, 10)).toBeUndefined();
  });

  it.each<[Partial<Method>, RegExp]>([
    [{ average: 10 }, /average: 10 of 10 steps, expected a positive integer below their number/],
    [{ average: 2.5 }, /average: 2\.5 of 10 steps/],
    [{ average: 4, averageAt: 1 }, /average at 1 of the timesteps, expected a share within 0\.\.1/],
    [{ average: 4, averageAt: NaN }, /average at NaN/],
  ])('of %o are refused', (numbers, message) => {
    expect(() => spanOf({ name: 'pigdm', ...numbers } as Method, 10, 1000)).toThrow(message);
  });

  it('are refused for a rule that leaves x0 as it is', () => {
    const method: Method = { name: 'dsg', rate: 0.1, interval: 1, average: 4 };
    expect(() => spanOf(method, 10, 1000)).toThrow(/dsg does not bend the image that is averaged/);
  });
});

describe('guidance', () => {
  const dsg: Method = { name: 'dsg', rate: 0.2, interval: 1 };
  const dps: Method = { name: 'dps', stepSize: 1 };
  const noisy: SamplerChoice = { name: 'ddim', eta: 1 };
  const still: SamplerChoice = { name: 'ddim', eta: 0 };
  const learned: SamplerChoice = { name: 'ddpm', variance: 'learned_range' };
  const of = (method: Method, sampler: SamplerChoice, N = 6) =>
    guidanceOf(method, sampler, linearSteps(N));

  it('of DSG is refused for steps without noise', () => {
    expect(() => of(dsg, still)).toThrow('there is no sphere to move on');
    expect(() => of(dsg, { name: 'ddim', eta: 0.5 })).not.toThrow();
    expect(() => of(dps, still)).not.toThrow();
    expect(() => of(dsg, { ...noisy, temperature: 0 })).toThrow(
      /a step of temperature 0 draws no noise/,
    );
    expect(() => of(dsg, { ...learned, temperature: 0 })).toThrow(/a step of temperature 0/);
    expect(() => of(dsg, { ...noisy, temperature: 0.9 })).not.toThrow();
  });

  it.each<[Method, SamplerChoice, RegExp]>([
    [
      { ...dps, guideFrom: 0.95, guideTo: 0.96 },
      noisy,
      /dps: of 6 steps, from 0\.95 to 0\.96 of them, none is guided/,
    ],
    [
      { ...dsg, interval: 4, guideFrom: 0.6, guideTo: 0.8 },
      noisy,
      /dsg: of 6 steps, from 0\.6 to 0\.8 of them, at an interval of 4, none is guided/,
    ],
    [
      { ...dsg, interval: 100 },
      noisy,
      /dsg: of 6 steps, from 0 to 1 of them, at an interval of 100, only the last is guided, which draws no noise/,
    ],
    [{ ...dsg, guideFrom: 0.8 }, { name: 'ddpm', variance: 'fixed_small' }, /only the last is/],
  ])('is refused where it acts at no step: %o with %o', (method, sampler, message) => {
    expect(() => of(method, sampler)).toThrow(message);
  });

  it.each<[string, Method, SamplerChoice, number]>([
    ['none', { name: 'none' }, noisy, 6],
    ['one step', dsg, noisy, 1],
    ['the first of few', { ...dsg, guideTo: 0.1 }, noisy, 6],
    ['the last, of DPS', { ...dps, guideFrom: 0.8 }, noisy, 6],
    ['the last, where that draws noise', { ...dsg, interval: 100 }, learned, 6],
    ['the last, by backward steps', { ...dsg, interval: 100, backwardSteps: 2 }, noisy, 6],
  ])('is taken for %s', (_, method, sampler, N) => {
    expect(() => of(method, sampler, N)).not.toThrow();
  });
});
