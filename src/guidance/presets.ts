/** Hyper-parameters by prior, task, method and step count, read from configs/presets.json. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UserError } from '../errors.ts';

/** Of the loss, whatever the rule: v of a whitened residual. */
const whiten = z.number().positive().optional();
/** And what the clip of x0 makes of its gradient; of itself if left out. */
const clipGradient = z.enum(['zero', 'pass']).optional();
const ofLoss = { whiten, clipGradient };
const hyperparameters = {
  dps: z.strictObject({
    stepSize: z.number().nonnegative(),
    side: z.int().positive().optional(),
    ...ofLoss,
  }),
  dsg: z.strictObject({ interval: z.int().positive(), rate: z.number().min(0).max(1), ...ofLoss }),
  pigdm: z.strictObject({ averageAt: z.number().positive().max(1).optional() }),
};

/** Where the values come from, and the values by the step count that they are meant for. */
const block = <Values extends z.ZodType>(values: Values) =>
  z.strictObject({
    source: z.string().min(1),
    steps: z
      .record(z.string().regex(/^[1-9]\d*$/), values)
      .refine((rows) => Object.keys(rows).length > 0, 'no step count'),
  });

const file = z.strictObject({
  priors: z.record(
    z.string(),
    z.record(
      z.string(),
      z.strictObject({
        dps: block(hyperparameters.dps),
        dsg: block(hyperparameters.dsg),
        pigdm: block(hyperparameters.pigdm).default({ source: 'none', steps: { 100: {} } }),
      }),
    ),
  ),
});

export type Method = keyof typeof hyperparameters;
export type Hyperparameters = { [M in Method]: z.infer<(typeof hyperparameters)[M]> };
type Blocks = { [M in Method]: { steps: Record<string, Hyperparameters[M]> } };

let priors: Record<string, Record<string, Blocks>> | undefined;

/**
 * The hyper-parameters of a method for a task, from the step count nearest to `steps`, the larger
 * of two that are equally near. They can be handed to `dps` or `dsg` as they are; those of `pigdm`
 * say at what noise level steps are averaged, if any are.
 * `prior` says whose table: `article` is that of the DPS and DSG articles, for their network.
 * @throws UserError for a prior or task that the table does not have.
 */
export function preset<M extends Method>(
  task: string,
  method: M,
  steps: number,
  prior = 'article',
): Hyperparameters[M] {
  const url = new URL('../../configs/presets.json', import.meta.url);
  priors ??= file.parse(JSON.parse(readFileSync(url, 'utf8'))).priors;
  const blocks: Blocks = entry(entry(priors, 'prior', prior), 'task', task);
  const rows: Record<string, Hyperparameters[M]> = blocks[method].steps;
  const nearest = Object.keys(rows)
    .map(Number)
    .sort((a, b) => Math.abs(a - steps) - Math.abs(b - steps) || b - a)[0]!;
  return rows[nearest]!;
}

function entry<Value>(table: Record<string, Value>, what: string, key: string): Value {
  if (!Object.hasOwn(table, key))
    throw new UserError(`no presets for ${what} '${key}'`, {
      hint: `one of: ${Object.keys(table).join(', ')}`,
    });
  return table[key]!;
}
