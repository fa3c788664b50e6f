/** The effective settings of a restoration: options, and presets where options are silent. */
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import type { Task } from '../pipeline/tasks.ts';
import type { Method, SamplerChoice } from '../pipeline/method.ts';
import {
  methodFor,
  methodOptions,
  refuseIdleMethod,
  withRecipe,
  type MethodName,
  type MethodValues,
} from './method-options.ts';
import { choice, integer, option, optionWith, real, text, type Values } from './options.ts';

/** How each step is taken. */
export const stepOptions = {
  sampler: optionWith(
    '--sampler <name>',
    'Sampling',
    'how a step is taken',
    choice(['ddim', 'ddpm']),
    'ddim',
  ),
  eta: option('--eta <x>', 'Sampling', 'ddim: noise added at each step', real(0, 1), '1'),
  temperature: option(
    '--temperature <t>',
    'Sampling',
    'of that noise, not of noise that time travel or averaging puts back: below 1, samples differ ' +
      'less and are nearer to what they have in common',
    real(0),
    '1',
  ),
  variance: option(
    '--variance <name>',
    'Sampling',
    'ddpm: variance of each step',
    choice(['fixed_small', 'fixed_large', 'learned_range']),
    'learned_range if the model learned one, else fixed_small',
  ),
} as const;

/** How a chain is sampled, guided or not. */
const chainOptions = {
  steps: optionWith(
    '--steps <n>',
    'Sampling',
    "sampling steps, up to the model's (usually 1000)",
    integer(1),
    100,
  ),
  seed: optionWith('--seed <n>', 'Sampling', 'seed of all randomness', integer(0), 0),
  ...stepOptions,
} as const;

/** Where sampling begins. */
export const startOptions = {
  start: option(
    '--start <from>',
    'Sampling',
    'latent models: noise, or encoder: the latent of a simple reconstruction with the noise of the first step',
    choice(['noise', 'encoder']),
    'noise',
  ),
} as const;

/** Noise from elsewhere. */
export const replayOptions = {
  replay: option(
    '--replay <folder>',
    'Advanced',
    'take noise from its x_T.npy [1,C,H,W] and noise.npy [steps,1,C,H,W], C channels of the model; ' +
      'without noise at the steps, x_T.npy is enough',
    text,
    'noise follows from seed and name',
  ),
} as const;

export const samplingOptions = {
  ...methodOptions,
  ...chainOptions,
} as const;

export type SamplingValues = Values<typeof samplingOptions> & MethodValues;
export type ChainValues = Values<typeof chainOptions>;

export interface Settings {
  readonly method: Method;
  readonly sampler: SamplerChoice;
}

/**
 * Of a restoration.
 * @param card of the model, which names its presets and says whether it learned a variance
 * @throws UserError for a task without presets, or a method that needs a value
 */
export function settingsFor(task: Task, given: SamplingValues, card: Card): Settings {
  const values = withRecipe(given);
  return { method: methodFor(values, 'dsg', { task, card }), sampler: samplerFor(values, card) };
}

/**
 * Of new images, which are guided by losses, or by nothing.
 * @throws UserError for guidance without losses, losses without guidance, or an idle option
 */
export function settingsForNew(given: SamplingValues, card: Card, guided: boolean): Settings {
  const values = withRecipe(given);
  const { method = guided ? 'dsg' : 'none' } = values;
  refuseIdle(values, method);
  if (!guided && method !== 'none')
    throw new UserError(`--method ${method} guides towards losses, and there are none`, {
      hint: 'add --loss, or leave out --method and --preset',
    });
  refuseUnguided(guided ? 1 : 0, method);
  // Without noise there is no sphere, and nothing for guidance to choose from.
  const sampler = samplerFor(values, card, guided ? 1 : 0);
  return { method: methodFor(values, method, { card }), sampler };
}

/**
 * The sampler that the options choose; by default its variance is the one that the model learned.
 * @throws UserError for a temperature of steps without noise
 */
export function samplerFor(
  { sampler, eta: given, temperature, variance }: ChainValues,
  card: Card,
  usualEta = 1,
): SamplerChoice {
  const eta = given ?? usualEta;
  if (sampler === 'ddim' && eta === 0 && temperature !== undefined)
    throw new UserError(
      '--temperature is that of the noise of steps, and with an eta of 0 they have none',
      {
        hint: 'add --eta 1, or leave out --temperature',
      },
    );
  const heat = temperature === undefined ? {} : { temperature };
  if (sampler === 'ddim') return { name: 'ddim', eta, ...heat };
  const learned = card.learnedVariance ? 'learned_range' : 'fixed_small';
  return { name: 'ddpm', variance: variance ?? learned, ...heat };
}

/** @throws UserError for losses that no method would guide towards */
export function refuseUnguided(losses: number, method: MethodName | undefined): void {
  if (losses > 0 && method === 'none')
    throw new UserError('--loss needs guidance, and the method is none', {
      hint: 'leave out --method, or leave out --loss',
    });
}

/** @throws UserError for an option that the chosen method or sampler has no use for */
export function refuseIdle(values: SamplingValues, method: MethodName): void {
  refuseIdleMethod(values, method);
  const idle = (
    [
      ['eta', '--eta', 'ddim'],
      ['variance', '--variance', 'ddpm'],
    ] as const
  ).find(([key, , owner]) => values[key] !== undefined && values.sampler !== owner);
  if (!idle) return;
  const [, name, owner] = idle;
  throw new UserError(
    `${name} belongs to --sampler ${owner}, and the sampler is ${values.sampler}`,
    {
      hint: `leave out ${name}, or add --sampler ${owner}`,
    },
  );
}

/** As in `dsg rate 0.1 interval 1, ddim eta 1`, which results.json has and `otherSettings` takes apart. */
export function showSettings({ method, sampler }: Settings): string {
  const show = ({ name, ...rest }: Method | SamplerChoice): string =>
    [name, ...Object.entries(rest).map(([key, value]) => `${optionName(key)} ${value}`)].join(' ');
  return `${show(method)}, ${show(sampler)}`;
}

function optionName(key: string): string {
  return key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
}
