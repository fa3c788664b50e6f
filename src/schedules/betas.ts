/** The variance schedules that networks are trained with: beta_t for t = 0..T-1, in float64. */
import { UserError } from '../errors.ts';

export interface BetaSchedule {
  readonly name: string;
  /** T, the number of training timesteps; 1000 by default. */
  readonly timesteps?: number;
  /** beta at t = 0 and at t = T-1, taken as they are; a name without ends (`cosine`) refuses them. */
  readonly betaStart?: number | undefined;
  readonly betaEnd?: number | undefined;
}

/** Nichol & Dhariwal (2021), section 3.2: beta is kept below 1 where alphaBar runs to zero. */
const MAX_COSINE_BETA = 0.999;

/** Ho et al. (2020), section 4: linear in beta; the default ends keep alphaBar_T for any T. */
function linear(T: number, start = (1000 / T) * 1e-4, end = (1000 / T) * 0.02): Float64Array {
  return linspace(start, end, T);
}

/** Linear in sqrt(beta), with the ends of Stable Diffusion: Rombach et al. (2022). */
function scaledLinear(T: number, start = 0.00085, end = 0.012): Float64Array {
  return linspace(Math.sqrt(start), Math.sqrt(end), T).map((root) => root * root);
}

/** Nichol & Dhariwal (2021), equation 17: alphaBar is a squared cosine, offset by s = 0.008. */
function cosine(T: number, start?: number, end?: number): Float64Array {
  if (start !== undefined || end !== undefined)
    throw new UserError('cosine schedule: betaStart and betaEnd do not apply', {
      hint: 'leave both out, or use the schedule `linear` or `scaled_linear`',
    });
  const alphaBar = (t: number) => Math.cos((((t / T + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Float64Array.from({ length: T }, (_, t) =>
    Math.min(1 - alphaBar(t + 1) / alphaBar(t), MAX_COSINE_BETA),
  );
}

const SCHEDULES = new Map([
  ['linear', linear],
  ['scaled_linear', scaledLinear],
  ['cosine', cosine],
]);

/**
 * The betas of a schedule, `[T]`, each in (0, 1).
 * @throws UserError for an unknown name, a T that is no positive integer, or ends that leave (0, 1).
 */
export function betas({ name, timesteps = 1000, betaStart, betaEnd }: BetaSchedule): Float64Array {
  const schedule = SCHEDULES.get(name);
  if (!schedule)
    throw new UserError(`unknown beta schedule '${name}'`, {
      hint: `one of: ${[...SCHEDULES.keys()].join(', ')}`,
    });
  if (!Number.isInteger(timesteps) || timesteps < 1)
    throw new UserError(`${name} schedule: ${timesteps} timesteps, expected a positive integer`, {
      hint: 'give the T that the network was trained with, usually 1000',
    });
  const result = schedule(timesteps, betaStart, betaEnd);
  const t = result.findIndex((beta) => !(beta > 0 && beta < 1));
  if (t >= 0)
    throw new UserError(
      `${name} schedule: beta is ${result[t]} at timestep ${t} of ${timesteps}, expected between 0 and 1`,
      { hint: 'check betaStart and betaEnd against the model card' },
    );
  return result;
}

/** `count` values from `start` to `end`, both exact; one value is `start`. */
function linspace(start: number, end: number, count: number): Float64Array {
  const stride = (end - start) / (count - 1);
  const values = Float64Array.from({ length: count }, (_, i) => start + i * stride);
  values[count - 1] = end;
  values[0] = start;
  return values;
}
