/** `--min`, `--max` and `--tolerance`: numbers by metric. */
import { InvalidArgumentError } from 'commander';
import { UserError } from '../errors.ts';
import { catalogue, type Metric } from '../metrics/catalogue.ts';
import { shortfallTable, type Shortfall } from '../report/regression.ts';
import { toText } from '../report/table.ts';
import { painter, type Io } from './io.ts';
import type { Kind } from './options.ts';

export const metrics = Object.keys(catalogue) as Metric[];

export type ByMetric = Readonly<Record<string, number>>;

/** `METRIC=NUMBER`, given any number of times. */
export const byMetric: Kind<ByMetric> = {
  range: 'as psnr=25; may be repeated',
  parse(given, previous = {}) {
    const [, metric = '', number = ''] = /^([^=]+)=(.+)$/.exec(given) ?? [];
    const value = Number(number);
    if (!(metric in catalogue) || number.trim() === '' || !Number.isFinite(value))
      throw new InvalidArgumentError(
        `Expected METRIC=NUMBER, as in psnr=25; metrics are ${metrics.join(', ')}.`,
      );
    return { ...previous, [metric]: value };
  },
};

/** Options that hold numbers by metric, under their flags. */
export type Limits = Readonly<Record<`--${string}`, ByMetric | undefined>>;

/** Metrics that a run does not work out, each with what would. */
export type Unmeasured = Readonly<Partial<Record<Metric, string>>>;

/** Of the networks that scores take, those that are not given. */
export function withoutNetworks(
  given: Readonly<Record<'lpips' | 'fid', string | undefined>>,
): Unmeasured {
  const missing = (['lpips', 'fid'] as const).filter((metric) => given[metric] === undefined);
  return Object.fromEntries(missing.map((metric) => [metric, `add --${metric} MODEL`]));
}

/** @throws UserError for a limit on a metric that is not worked out, which nothing could meet */
export function refuseUnmeasured(limits: Limits, unmeasured: Unmeasured): void {
  for (const [flag, numbers = {}] of Object.entries(limits))
    for (const metric of Object.keys(numbers) as Metric[]) {
      const hint = unmeasured[metric];
      if (hint === undefined) continue;
      throw new UserError(`${flag} ${metric}=${numbers[metric]}: ${metric} is not worked out`, {
        hint: `${hint}, or leave out the limit`,
      });
    }
}

/** Prints what fell short on stderr. */
export function printShortfalls(shortfalls: readonly Shortfall[], io: Io): void {
  if (shortfalls.length === 0) return;
  const count = shortfalls.length === 1 ? '1 score' : `${shortfalls.length} scores`;
  io.stderr.write(`${painter(io.stderr, io.env)('red', 'error:')} ${count} fell short\n`);
  io.stderr.write(toText(shortfallTable(shortfalls)));
}
