/** Which steps a method takes, and how often. */
import { describe, expect, it } from 'vitest';
import {
  passesFor,
  refuseStill,
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

it('DSG of steps without noise is refused', () => {
  const dsg: Method = { name: 'dsg', rate: 0.2, interval: 1 };
  const still: SamplerChoice = { name: 'ddim', eta: 0 };
  expect(() => refuseStill(dsg, still)).toThrow('there is no sphere to move on');
  expect(() => refuseStill(dsg, { name: 'ddim', eta: 0.5 })).not.toThrow();
  expect(() => refuseStill({ name: 'dps', stepSize: 1 }, still)).not.toThrow();
});
