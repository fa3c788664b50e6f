/** Fewer steps than the network was trained with: which timesteps to keep, and their constants. */
import { UserError } from '../errors.ts';

/** The kept timesteps, ascending, and alphaBar at each. */
export interface Schedule {
  readonly timesteps: readonly number[];
  readonly alphaBar: Float64Array;
  /** alphaBar that the last step ends at: 1 for a clean image. */
  readonly end: number;
}

/** Which timesteps are kept, by the names that diffusers gives the three ways. */
export interface Spacing {
  /**
   * `linspace`: from 0 to T-1, both kept. `leading`: multiples of floor(T/N), from 0. `trailing`:
   * from T-1 down, at stride T/N. Table 2 of Lin et al., Common Diffusion Noise Schedules and Sample
   * Steps are Flawed (2023).
   */
  readonly spacing?: 'linspace' | 'leading' | 'trailing' | undefined;
  /** Added to every timestep of `leading`. */
  readonly offset?: number | undefined;
  /** The first of the timesteps that are kept from: none is below it. 0 if left out. */
  readonly first?: number | undefined;
  /** Whether the last step ends at a clean image, or at the noise level of timestep 0. */
  readonly end?: 'clean' | 'first' | undefined;
}

/** The constants of one sampling step, from x_t to the next kept timestep below it. */
export interface Step {
  /** N-1 at the noisiest step, 0 at the last. */
  readonly index: number;
  /** The timestep of the original schedule, 0..T-1, that the network was trained with. */
  readonly timestep: number;
  readonly alphaBar: number;
  /** alphaBar of the next step; the schedule's end at the last, usually 1: the clean image. */
  readonly alphaBarPrev: number;
  /** 1 - alphaBar / alphaBarPrev: beta re-derived for the kept steps. */
  readonly beta: number;
  /** Variance of q(x' | x_t, x0): Ho et al. (2020), equation 7. 0 at the last step. */
  readonly posteriorVariance: number;
  /**
   * The same, with the value of step 1 at step 0 so that its logarithm exists: Nichol & Dhariwal
   * (2021). With a single step there is no step 1, and beta, its upper bound, stands in.
   */
  readonly posteriorVarianceClipped: number;
}

/**
 * Keeps N of the T timesteps of `betas`, from 0 to T-1 at stride (T-1)/(N-1), rounded half to even.
 * This is `space_timesteps` of guided-diffusion for one section, whose running sum decides on which
 * side of a half a timestep falls; but N = 1 keeps T-1 where that has 0, at which pure noise would count
 * as a clean image. Other spacings are those of diffusers' schedulers. With a `first` timestep, it is
 * the N of those from there on, in the same way; `trailing` would end above it, and keeps both ends.
 * @throws UserError if N is not an integer from 1 to their number, or an offset leads beyond T.
 */
export function respace(
  betas: Float64Array,
  N: number,
  { spacing = 'linspace', offset = 0, first = 0, end = 'clean' }: Spacing = {},
): Schedule {
  const T = betas.length;
  const most = T - first;
  if (!Number.isInteger(N) || N < 1 || N > most)
    throw new UserError(`cannot sample in ${N} steps, expected an integer from 1 to ${most}`, {
      hint: `the model's schedule has ${T} timesteps; 20, 50 and 100 steps are usual`,
    });
  const shift = first + (spacing === 'leading' ? offset : 0);
  const way = spacing === 'trailing' && first > 0 ? 'linspace' : spacing;
  const kept = (n: number): number[] => SPACINGS[way](most, n).map((t) => t + shift);
  const lastOf = (list: readonly number[]): number => list.at(-1) as number;
  const timesteps = kept(N);
  if (lastOf(timesteps) >= T) {
    let fewer = N - 1;
    while (fewer > 0 && lastOf(kept(fewer)) >= T) fewer--;
    const beyond = `timestep ${lastOf(timesteps)} is beyond ${T - 1}`;
    throw new UserError(
      `cannot sample in ${N} steps: with an offset of ${offset}, ${beyond}`,
      fewer > 0 ? { hint: `${fewer} steps fit` } : {},
    );
  }

  let product = 1;
  const alphaBars = betas.map((beta) => (product *= 1 - beta));
  return {
    timesteps,
    alphaBar: Float64Array.from(timesteps, (t) => alphaBars[t]!),
    end: end === 'clean' ? 1 : alphaBars[0]!,
  };
}

/** N of the timesteps below T, ascending. */
const SPACINGS = {
  linspace(T, N) {
    if (N === 1) return [T - 1];
    const stride = (T - 1) / (N - 1);
    const timesteps: number[] = [];
    for (let i = 0, position = 0; i < N; i++, position += stride)
      timesteps.push(roundHalfToEven(position));
    return timesteps;
  },
  leading: (T, N) => Array.from({ length: N }, (_, i) => i * Math.floor(T / N)),
  trailing: (T, N) =>
    Array.from({ length: N }, (_, i) => roundHalfToEven(T - i * (T / N)) - 1).reverse(),
} satisfies Record<string, (T: number, N: number) => number[]>;

/** The steps of a schedule in the order in which they are taken, noisiest first. */
export function steps({ timesteps, alphaBar, end }: Schedule): Step[] {
  const constants = timesteps.map((timestep, index) => {
    const now = alphaBar[index]!;
    const alphaBarPrev = index === 0 ? end : alphaBar[index - 1]!;
    const beta = 1 - now / alphaBarPrev;
    const posteriorVariance = (beta * (1 - alphaBarPrev)) / (1 - now);
    return { index, timestep, alphaBar: now, alphaBarPrev, beta, posteriorVariance };
  });
  const positive = constants[1]?.posteriorVariance ?? constants[0]?.beta;
  return constants
    .map((step) => ({
      ...step,
      posteriorVarianceClipped: step.index === 0 ? positive! : step.posteriorVariance,
    }))
    .reverse();
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor === 0.5) return floor + (floor % 2);
  return Math.round(value);
}
