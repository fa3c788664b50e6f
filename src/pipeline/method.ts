/** Guidance and sampler by name, with their parameters. */
import { withBackward } from '../guidance/backward.ts';
import { dps } from '../guidance/dps.ts';
import { dsg } from '../guidance/dsg.ts';
import { covers, within, type Extent } from '../guidance/extent.ts';
import { freedom } from '../guidance/freedom.ts';
import type { Guidance } from '../guidance/guidance.ts';
import { none } from '../guidance/none.ts';
import { pseudoinverse } from '../guidance/pseudoinverse.ts';
import { universal } from '../guidance/universal.ts';
import { ddim, type DdimOptions } from '../samplers/ddim.ts';
import { ddpm, type DdpmOptions } from '../samplers/ddpm.ts';
import type { Sampler, TimeTravel } from '../samplers/sampler.ts';
import type { Step } from '../schedules/respace.ts';
import { UserError } from '../errors.ts';

/** The rule by which a gradient bends a step. */
export type Rule =
  | {
      readonly name: 'dsg';
      readonly rate: number;
      readonly interval: number;
      readonly radius?: 'rms' | 'first-pixel';
    }
  /** `side` is that of the images that the step size is for, see `dps`. */
  | { readonly name: 'dps'; readonly stepSize: number; readonly side?: number | undefined }
  | { readonly name: 'freedom'; readonly scale: number; readonly stepRule: 'relative' | 'signal' }
  | { readonly name: 'ugd'; readonly strength: number }
  /** Steps along the score of the measurement, of the length that it has. */
  | { readonly name: 'pigdm' }
  /** DPS of a latent model with the gluing term γ ‖ẑ₀ − E(Aᵀy + (I − AᵀA) D(ẑ₀))‖ beside. */
  | { readonly name: 'psld'; readonly stepSize: number; readonly gluing: number }
  | { readonly name: 'none' };

/** When a rule acts, how often a step is taken, and what it adds: the same for all rules. */
export interface Conduct {
  /** How far a measurement's residual is whitened, see `measurementLoss`; not at all if left out. */
  readonly whiten?: number | undefined;
  /** What the clip of x̂₀ makes of gradients, see `clipGradientOf`. */
  readonly clipGradient?: ClipGradient | undefined;
  /** The share of the steps from which, and up to which, is guided: 0 is the noisiest. */
  readonly guideFrom?: number;
  readonly guideTo?: number;
  /** How often each step is taken, from 1; between two shares of the steps, or while it is guided. */
  readonly timeTravel?: number;
  readonly travelFrom?: number;
  readonly travelTo?: number;
  /**
   * How many of the steps, the last ones, are taken at one noise level, and what they end at
   * averaged; 1, the default, averages nothing. Only for rules that bend the predicted image.
   */
  readonly average?: number | undefined;
  /** That level, as a share of the schedule's timesteps: 0 is a clean image. */
  readonly averageAt?: number | undefined;
  /** Steps of backward guidance, and their rate; none if left out. */
  readonly backwardSteps?: number;
  readonly backwardRate?: number;
}

export type Method = Rule & Conduct;

/** `zero` where x̂₀ is clipped, which is the clip's own, or `pass`, as if there were no clip. */
export type ClipGradient = 'zero' | 'pass';

/**
 * The published code of DPS and DSG differentiates the clip as it is; pseudoinverse guidance, which
 * bends x̂₀ itself, gets stuck with that where all of x̂₀ is clipped.
 */
export function clipGradientOf({ name, clipGradient }: Method): ClipGradient {
  return clipGradient ?? (name === 'pigdm' ? 'pass' : 'zero');
}

/** Whether what is left of a measurement is weighed by its noise, so that its sigma matters. */
export function weighsNoise({ name, whiten = 0 }: Method): boolean {
  return name === 'pigdm' || whiten > 0;
}

export type SamplerChoice =
  ({ readonly name: 'ddim' } & DdimOptions) | ({ readonly name: 'ddpm' } & DdpmOptions);

/** @throws UserError for a parameter out of range */
export function samplerFor(choice: SamplerChoice): Sampler {
  return choice.name === 'ddim' ? ddim(choice) : ddpm(choice);
}

/** @throws UserError for DSG of steps without noise, whose sphere has no radius */
function refuseStill({ name }: Method, sampler: SamplerChoice): void {
  if (name !== 'dsg') return;
  const values: Partial<DdimOptions> = sampler;
  const still = (['eta', 'temperature'] as const).find((key) => values[key] === 0);
  if (still)
    throw new UserError(
      `dsg: a step of ${still} 0 draws no noise, so there is no sphere to move on`,
      {
        hint: `take a higher ${still} (1 is usual), or --method dps, freedom or pigdm`,
      },
    );
}

/**
 * The guidance of a chain of steps.
 * @throws UserError for a parameter out of range, or guidance that acts at none of the steps
 */
export function guidanceOf(
  method: Method,
  sampler: SamplerChoice,
  steps: readonly Step[],
): Guidance {
  refuseStill(method, sampler);
  const guidance = guidanceFor(method, steps.length);
  const guided = steps.filter((step) => guidance.guides(step));
  const { name, guideFrom = 0, guideTo = 1, backwardSteps } = method;
  const every =
    name === 'dsg' && method.interval > 1 ? `, at an interval of ${method.interval}` : '';
  const among = `${name}: of ${steps.length} steps, from ${guideFrom} to ${guideTo} of them${every}`;
  if (name !== 'none' && guided.length === 0)
    throw new UserError(`${among}, none is guided`, { hint: wider });
  const ofPosterior = sampler.name === 'ddim' || sampler.variance === 'fixed_small';
  const inVain = ofPosterior && guided.every(({ posteriorVariance }) => posteriorVariance === 0);
  // A single step is the last one, whatever is asked for.
  if (name === 'dsg' && inVain && steps.length > 1 && backwardSteps === undefined)
    throw new UserError(`${among}, only the last is guided, which draws no noise to turn`, {
      hint: wider,
    });
  return guidance;
}

const wider = 'guide a longer part of the steps, or at a shorter interval, or take more steps';

/** @throws UserError for a parameter out of range */
export function guidanceFor(method: Method, steps: number): Guidance {
  const { backwardSteps, backwardRate = usualBackwardRate } = method;
  const rule = ruleFor(method);
  const guidance =
    backwardSteps === undefined
      ? rule
      : withBackward(rule, { steps: backwardSteps, rate: backwardRate });
  const extent = extentOf(method);
  return extent ? within(guidance, extent, steps) : guidance;
}

/** Of the published code of universal guidance. */
export const usualBackwardRate = 0.01;

/** Halfway to the noise in which detail goes under. */
export const usualAverageAt = 0.1;

/**
 * The steps of a method's N that differ, as many as `count` of them from timestep `first` of T on: the
 * last of them is taken again for those that are averaged.
 * @throws UserError for numbers out of range
 */
export function spanOf(
  { name, average = 1, averageAt = usualAverageAt }: Method,
  N: number,
  T: number,
): { first: number; count: number } {
  if (average === 1) return { first: 0, count: N };
  if (name !== 'pigdm' && name !== 'ugd')
    throw new UserError(`average: ${name} does not bend the image that is averaged`, {
      hint: 'pigdm and ugd do',
    });
  if (!Number.isInteger(average) || average < 1 || average >= N)
    throw new UserError(
      `average: ${average} of ${N} steps, expected a positive integer below their number`,
      { hint: 'a fifth of the steps is enough' },
    );
  if (!(averageAt > 0 && averageAt < 1))
    throw new UserError(`average at ${averageAt} of the timesteps, expected a share within 0..1`, {
      hint: '0.05 to 0.2: the more noise, the less that differs from sample to sample is left',
    });
  return { first: Math.round(averageAt * T), count: N - average + 1 };
}

/** How often steps are taken, and which of them are averaged. */
export type Passes = Pick<TimeTravel, 'passes' | 'averages'>;

/**
 * The steps that are taken several times, if any.
 * @throws UserError for a number or shares out of range
 */
export function passesFor(method: Method, steps: number): Passes | undefined {
  const { average = 1 } = method;
  const travels = travelOf(method, steps);
  if (average === 1) return travels && { passes: travels };
  const averages = ({ index }: Step): boolean => index === 0;
  return { averages, passes: (step) => (averages(step) ? average : (travels?.(step) ?? 1)) };
}

function travelOf(method: Method, steps: number): TimeTravel['passes'] | undefined {
  const { timeTravel, guideFrom = 0, guideTo = 1 } = method;
  const { travelFrom: from = guideFrom, travelTo: to = guideTo } = method;
  if (timeTravel === undefined || timeTravel === 1) return undefined;
  if (!Number.isInteger(timeTravel) || timeTravel < 1)
    throw new UserError(`time travel ${timeTravel}, expected a positive integer`, {
      hint: '1 takes every step once',
    });
  const inside = covers({ from, to }, steps);
  return (step) => (inside(step) ? timeTravel : 1);
}

function ruleFor(method: Rule): Guidance {
  switch (method.name) {
    case 'dsg':
      return dsg(method);
    case 'dps':
    case 'psld':
      return dps(method);
    case 'freedom':
      return freedom({ scale: method.scale, rule: method.stepRule });
    case 'ugd':
      return universal(method);
    case 'pigdm':
      return pseudoinverse;
    case 'none':
      return none;
  }
}

function extentOf({ guideFrom, guideTo }: Conduct): Extent | undefined {
  if (guideFrom === undefined && guideTo === undefined) return undefined;
  return { from: guideFrom ?? 0, to: guideTo ?? 1 };
}
