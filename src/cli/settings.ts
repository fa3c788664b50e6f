/** The effective settings of a restoration: options, and presets where options are silent. */
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import { preset } from '../guidance/presets.ts';
import type { Task } from '../pipeline/degradation.ts';
import type { Method, SamplerChoice } from '../pipeline/method.ts';
import { choice, integer, option, optionWith, real, text, type Values } from './options.ts';

/** How a chain is sampled, guided or not. */
export const chainOptions = {
  steps: optionWith(
    '--steps <n>',
    'Sampling',
    "sampling steps, up to the model's (usually 1000)",
    integer(1),
    100,
  ),
  seed: optionWith('--seed <n>', 'Sampling', 'seed of all randomness', integer(0), 0),
  sampler: optionWith(
    '--sampler <name>',
    'Sampling',
    'how a step is taken',
    choice(['ddim', 'ddpm']),
    'ddim',
  ),
  eta: option('--eta <x>', 'Sampling', 'ddim: noise added at each step', real(0, 1), '1'),
  variance: option(
    '--variance <name>',
    'Sampling',
    'ddpm: variance of each step',
    choice(['fixed_small', 'fixed_large', 'learned_range']),
    'learned_range if the model learned one, else fixed_small',
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
  method: optionWith(
    '--method <name>',
    'Sampling',
    'guidance',
    choice(['dsg', 'dps', 'none']),
    'dsg',
  ),
  ...chainOptions,
  rate: option('--rate <w>', 'Sampling', 'dsg: guidance rate', real(0, 1), 'by task and steps'),
  interval: option(
    '--interval <n>',
    'Sampling',
    'dsg: guide every n-th step',
    integer(1),
    'by task and steps',
  ),
  stepSize: option(
    '--step-size <zeta>',
    'Sampling',
    'dps: size of the gradient step',
    real(0),
    'by task and steps',
  ),
  radius: option(
    '--radius <how>',
    'Advanced',
    "dsg with learned_range: sigma is the image's rms, or that of its first pixel as published",
    choice(['rms', 'first-pixel']),
    'rms',
  ),
} as const;

export type SamplingValues = Values<typeof samplingOptions>;
export type ChainValues = Values<typeof chainOptions>;

export interface Settings {
  readonly method: Method;
  readonly sampler: SamplerChoice;
}

/**
 * @param card of the model, which names its presets and says whether it learned a variance
 * @throws UserError for a task without presets
 */
export function settingsFor(task: Task, values: SamplingValues, card: Card): Settings {
  return { method: methodFor(task, values, card), sampler: samplerFor(values, card) };
}

function methodFor(task: Task, values: SamplingValues, card: Card): Method {
  switch (values.method) {
    case 'dsg': {
      const usual = preset(task, 'dsg', values.steps, card.presets);
      const { rate = usual.rate, interval = usual.interval, radius } = values;
      return { name: 'dsg', rate, interval, ...(radius && { radius }) };
    }
    case 'dps': {
      const usual = preset(task, 'dps', values.steps, card.presets);
      return { name: 'dps', stepSize: values.stepSize ?? usual.stepSize };
    }
    case 'none':
      return { name: 'none' };
  }
}

/** The sampler that the options choose; by default its variance is the one that the model learned. */
export function samplerFor(
  { sampler, eta, variance }: ChainValues,
  card: Card,
  usualEta = 1,
): SamplerChoice {
  if (sampler === 'ddim') return { name: 'ddim', eta: eta ?? usualEta };
  const learned = card.learnedVariance ? 'learned_range' : 'fixed_small';
  return { name: 'ddpm', variance: variance ?? learned };
}

/** @throws UserError for an option that the chosen method or sampler has no use for */
export function refuseIdle(values: ChainValues & Partial<SamplingValues>): void {
  const idle = (
    [
      ['rate', '--rate', 'method', 'dsg'],
      ['interval', '--interval', 'method', 'dsg'],
      ['radius', '--radius', 'method', 'dsg'],
      ['stepSize', '--step-size', 'method', 'dps'],
      ['eta', '--eta', 'sampler', 'ddim'],
      ['variance', '--variance', 'sampler', 'ddpm'],
    ] as const
  ).find(([key, , by, owner]) => values[key] !== undefined && values[by] !== owner);
  if (!idle) return;
  const [, name, by, owner] = idle;
  throw new UserError(`${name} belongs to --${by} ${owner}, and the ${by} is ${values[by]}`, {
    hint: `leave out ${name}, or add --${by} ${owner}`,
  });
}

/** As in `dsg rate 0.1 interval 1, ddim eta 1`. */
export function showSettings({ method, sampler }: Settings): string {
  const show = ({ name, ...rest }: Method | SamplerChoice): string =>
    [name, ...Object.entries(rest).map(([key, value]) => `${optionName(key)} ${value}`)].join(' ');
  return `${show(method)}, ${show(sampler)}`;
}

function optionName(key: string): string {
  return key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
}
