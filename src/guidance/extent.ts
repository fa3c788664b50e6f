/** When guidance acts, in shares of the steps: 0 is the first and noisiest, 1 the end. */
import { UserError } from '../errors.ts';
import type { Step } from '../schedules/respace.ts';
import type { Guidance } from './guidance.ts';

export interface Extent {
  /** From which share of the steps on, 0 to 1. */
  readonly from: number;
  /** Up to which share, exclusive; above `from`. */
  readonly to: number;
}

/** What floating point may make of a share that meets a step. */
const TINY = 1e-9;

/**
 * Whether a step is within an extent of N steps.
 * @throws UserError for shares that are not 0 <= from < to <= 1.
 */
export function covers({ from, to }: Extent, N: number): (step: Step) => boolean {
  if (!(from >= 0 && from < to && to <= 1))
    throw new UserError(
      `guidance from ${from} to ${to} of the steps, expected 0 <= from < to <= 1`,
      {
        hint: '0 is the noisiest step: from 0.3 to 0.7 guides the middle of the way',
      },
    );
  return ({ index }) => {
    const share = (N - 1 - index) / N;
    return share >= from - TINY && share < to - TINY;
  };
}

/** The guidance, at the steps of an extent only. */
export function within(guidance: Guidance, extent: Extent, N: number): Guidance {
  const inside = covers(extent, N);
  return { ...guidance, guides: (step) => inside(step) && guidance.guides(step) };
}
