/** Options of guidance: the rule, when it acts, and where its values come from. */
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import { preset, type Hyperparameters } from '../guidance/presets.ts';
import { recipeOf, recipes, type Recipe } from '../guidance/recipes.ts';
import type { Task } from '../pipeline/tasks.ts';
import {
  usualAverageAt,
  usualBackwardRate,
  type Conduct,
  type Method,
} from '../pipeline/method.ts';
import { choice, integer, option, positive, real, type Values } from './options.ts';

/** Of DSG where neither a task nor a preset says it: as its authors take styles. */
const usual: Hyperparameters['dsg'] = { rate: 0.1, interval: 1 };
const usualFreedomScale = 0.02;

/** Rout et al. 2023 (PSLD), published code, with a step size of 1. */
const usualGluing = 0.1;

export const methodOptions = {
  method: option(
    '--method <name>',
    'Sampling',
    'guidance',
    choice(['dsg', 'dps', 'pigdm', 'psld', 'freedom', 'ugd', 'none']),
    'dsg',
  ),
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
    'dps, psld: size of the gradient step; freedom: its scale, 0.02 if left out; ugd: strength',
    real(0),
    'by task and steps',
  ),
  gluing: option(
    '--gluing <gamma>',
    'Sampling',
    'psld: weight of the term that glues the latent to its image',
    real(0),
    `${usualGluing}`,
  ),
  preset: option(
    '--preset <name>',
    'Sampling',
    'published values of these options, of which any may be given besides',
    choice(Object.keys(recipes())),
    'none',
  ),
  guideFrom: option(
    '--guide-from <share>',
    'Sampling',
    'guide from this share of the steps on, 0 being the noisiest',
    real(0, 1),
    '0',
  ),
  guideTo: option('--guide-to <share>', 'Sampling', 'and up to this one', real(0, 1), '1'),
  timeTravel: option(
    '--time-travel <r>',
    'Sampling',
    "take each step r times, going back in between: freedom's time-travel, ugd's self-recurrence",
    integer(1),
    '1',
  ),
  travelFrom: option(
    '--travel-from <share>',
    'Advanced',
    'take steps several times from this share of them on',
    real(0, 1),
    'while they are guided',
  ),
  travelTo: option(
    '--travel-to <share>',
    'Advanced',
    'and up to this one',
    real(0, 1),
    'while they are guided',
  ),
  average: option(
    '--average <n>',
    'Sampling',
    'pigdm, ugd: take the last n steps at one noise level and average what they end at: nearly the ' +
      'mean of many samples, at the cost of one; a sixth of the steps will do',
    integer(1),
    'none: a sample',
  ),
  averageAt: option(
    '--average-at <share>',
    'Advanced',
    'that level, as a share of the timesteps; 0 is the clean image',
    real(0, 1),
    `by task, or ${usualAverageAt}`,
  ),
  backwardSteps: option(
    '--backward-steps <m>',
    'Sampling',
    "descend the loss m times at x0 itself, without the model: ugd's backward guidance",
    integer(1),
    'none',
  ),
  backwardRate: option(
    '--backward-rate <x>',
    'Advanced',
    'how far a value of x0 moves at such a step, about',
    positive,
    `${usualBackwardRate}`,
  ),
  clipGradient: option(
    '--clip-gradient <how>',
    'Advanced',
    'the gradient of losses where x0 is clipped to its range: zero, as DPS and DSG are published, ' +
      'or passed on, which keeps few steps from getting stuck',
    choice(['zero', 'pass']),
    'by task and steps; pass with pigdm',
  ),
  stepRule: option(
    '--step-rule <name>',
    'Advanced',
    'freedom: steps relative to the predicted noise, or proportional to the signal',
    choice(['relative', 'signal']),
    'relative',
  ),
  radius: option(
    '--radius <how>',
    'Advanced',
    "dsg with learned_range: sigma is the image's rms, or that of its first pixel as published",
    choice(['rms', 'first-pixel']),
    'rms',
  ),
} as const;

/** Where there is a measurement. */
export const fidelityOptions = {
  whiten: option(
    '--whiten <v>',
    'Sampling',
    'weigh what is left of a measurement by what noise and a variance of v in x0 let expect, as ' +
      'pseudoinverse guidance does with 1; 0 is the plain norm',
    real(0),
    'by task and steps',
  ),
} as const;

export type MethodValues = Values<typeof methodOptions> & Partial<Values<typeof fidelityOptions>>;
export type MethodName = NonNullable<MethodValues['method']>;

/** Options, and what a preset says where they are silent. */
export function withRecipe<
  T extends MethodValues & { readonly sampler: string; readonly eta: number | undefined },
>(values: T): T {
  if (values.preset === undefined) return values;
  const { about: _a, source: _s, steps: _n, ...recipe }: Recipe = recipeOf(values.preset);
  const { method = recipe.method, sampler } = values;
  // What is refused is the preset then, and none of its values, which nobody gave.
  if (method === 'none') return values;
  // Of another method, only what goes for all of them is taken.
  const { rate, interval, stepSize, stepRule, eta, method: _m, ...conduct } = recipe;
  const own = method === recipe.method ? { rate, interval, stepSize, stepRule } : {};
  const chain = sampler === 'ddim' ? { eta } : {};
  const usual: Record<string, unknown> = { ...own, ...conduct, ...chain, method };
  const silent = Object.entries(usual).filter(([key]) => values[key as keyof T] === undefined);
  return { ...values, ...Object.fromEntries(silent) };
}

/**
 * The method that the options choose.
 * @param task whose presets are taken; none where there is no measurement
 * @throws UserError for a method that needs a value that neither options nor presets say
 */
export function methodFor(
  values: MethodValues & { readonly steps: number },
  otherwise: MethodName,
  { task, card }: { readonly task?: Task; readonly card: Card },
): Method {
  const name = values.method ?? otherwise;
  const { steps, stepSize, radius } = values;
  switch (name) {
    case 'dsg': {
      const said = task ? preset(task, 'dsg', steps, card.presets) : usual;
      const { rate = said.rate, interval = said.interval } = values;
      return { name, rate, interval, ...(radius && { radius }), ...conductOf(values, said) };
    }
    case 'dps':
    case 'psld': {
      const said = task && preset(task, 'dps', steps, card.presets);
      const size = stepSize ?? said?.stepSize;
      if (size === undefined) throw noStepSize(name);
      const { gluing = usualGluing } = values;
      const conduct = conductOf(values, said);
      if (name === 'psld') return { name, gluing, stepSize: size, ...conduct };
      // A size that is given is meant as it is.
      const side = stepSize === undefined ? said?.side : undefined;
      return { name, stepSize: size, ...(side && { side }), ...conduct };
    }
    case 'freedom': {
      const { stepRule = 'relative' } = values;
      const scale = stepSize ?? (stepRule === 'relative' ? usualFreedomScale : undefined);
      if (scale === undefined) throw noStepSize(name);
      return { name, scale, stepRule, ...conductOf(values) };
    }
    case 'ugd':
      if (stepSize === undefined) throw noStepSize(name);
      return { name, strength: stepSize, ...conductOf(values) };
    case 'pigdm':
      if (task) return { name, ...conductOf(values, preset(task, name, steps, card.presets)) };
      throw new UserError(
        '--method pigdm follows the likelihood of a measurement, and there is none',
        {
          hint: 'use --method ugd, which is the same for losses',
        },
      );
    case 'none':
      return { name };
  }
}

function noStepSize(name: MethodName): UserError {
  return new UserError(`--method ${name} needs --step-size: how far to go depends on the loss`, {
    hint: 'begin with 1 and double it until it shows; --method dsg needs none',
  });
}

type Said = Pick<Conduct, 'whiten' | 'averageAt' | 'clipGradient'>;

function conductOf(values: MethodValues, said: Said = {}): Conduct {
  const { whiten = said.whiten, guideFrom, guideTo, timeTravel, travelFrom, travelTo } = values;
  const { average, averageAt = said.averageAt, clipGradient = said.clipGradient } = values;
  const { backwardSteps, backwardRate } = values;
  const travel = { timeTravel, travelFrom, travelTo };
  const mean = average === undefined ? {} : { average, averageAt };
  const aim = { whiten, clipGradient, guideFrom, guideTo, backwardSteps, backwardRate };
  const all = { ...aim, ...travel, ...mean };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Methods that bend x0 itself, which is what is averaged. */
export const averaging: readonly MethodName[] = ['pigdm', 'ugd'];

const guiding = ['dsg', 'dps', 'pigdm', 'psld', 'freedom', 'ugd'] as const;

const rules: readonly (readonly [keyof MethodValues, string, readonly MethodName[]])[] = [
  ['preset', '--preset', guiding],
  ['rate', '--rate', ['dsg']],
  ['interval', '--interval', ['dsg']],
  ['radius', '--radius', ['dsg']],
  ['stepRule', '--step-rule', ['freedom']],
  ['stepSize', '--step-size', ['dps', 'psld', 'freedom', 'ugd']],
  ['gluing', '--gluing', ['psld']],
  ['average', '--average', averaging],
  ['averageAt', '--average-at', averaging],
  ...(
    [
      ['whiten', '--whiten'],
      ['clipGradient', '--clip-gradient'],
      ['guideFrom', '--guide-from'],
      ['guideTo', '--guide-to'],
      ['timeTravel', '--time-travel'],
      ['backwardSteps', '--backward-steps'],
    ] as const
  ).map(([key, name]) => [key, name, guiding] as const),
];
const followers = [
  ['travelFrom', '--travel-from', 'timeTravel', '--time-travel'],
  ['travelTo', '--travel-to', 'timeTravel', '--time-travel'],
  ['backwardRate', '--backward-rate', 'backwardSteps', '--backward-steps'],
  ['averageAt', '--average-at', 'average', '--average'],
] as const;

/** @throws UserError for an option that the chosen method has no use for, or that needs another */
export function refuseIdleMethod(values: MethodValues, method: MethodName): void {
  const idle = rules.find(([key, , owners]) => {
    return values[key] !== undefined && !owners.includes(method);
  });
  if (idle) {
    const [, name, owners] = idle;
    const wanted = owners.join(' or ');
    throw new UserError(`${name} belongs to --method ${wanted}, and the method is ${method}`, {
      hint: `leave out ${name}, or add --method ${owners[0]}`,
    });
  }
  const lone = followers.find(([key, , leader]) => {
    return values[key] !== undefined && values[leader] === undefined;
  });
  if (lone) throw new UserError(`${lone[1]} belongs to ${lone[3]}, which is not given`);
}
