/** `--min`, `--max` and `--tolerance`: numbers by metric. */
import { InvalidArgumentError } from 'commander';
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

/** Prints what fell short on stderr. */
export function printShortfalls(shortfalls: readonly Shortfall[], io: Io): void {
  if (shortfalls.length === 0) return;
  const count = shortfalls.length === 1 ? '1 score' : `${shortfalls.length} scores`;
  io.stderr.write(`${painter(io.stderr, io.env)('red', 'error:')} ${count} fell short\n`);
  io.stderr.write(toText(shortfallTable(shortfalls)));
}
