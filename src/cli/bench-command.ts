/** The command that makes the results of a benchmark again. */
import type { BenchValues } from './commands/bench.ts';
import { conditionOptions } from './condition-options.ts';
import { methodOptions } from './method-options.ts';
import { cardOptions } from './model-card.ts';
import type { Table } from './options.ts';
import { deviceOptions } from './run-options.ts';
import { stepOptions } from './settings.ts';

/** As a POSIX shell reads it. What only judges or shows results is left out. */
export function benchCommand(paths: readonly string[], values: BenchValues): string {
  const { tasks, methods, steps, samples, seed, protocol: name, noise, fit, model } = values;
  const given = Object.entries({
    tasks: tasks.join(),
    methods: methods?.join(),
    steps: steps?.join(),
    samples,
    seed,
    protocol: name,
    noise,
    fit,
    lpips: values.lpips,
    fid: values.fid,
    model,
    output: values.output,
  }).filter(([, value]) => value !== undefined);
  const { average } = methodOptions;
  const sampling = { ...stepOptions, average, ...conditionOptions };
  const words = [
    ...paths,
    ...given.flatMap(([key, value]) => [`--${key}`, String(value)]),
    ...said({ ...sampling, ...cardOptions, ...deviceOptions }, values),
  ];
  return ['dsg', 'bench', ...words.map(quoted)].join(' ');
}

/** The options of a table that are not as usual, in its order. */
function said(table: Table, values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(table).flatMap(([key, { flags, value: usual }]) => {
    const [flag = ''] = flags.split(' ');
    const value = values[key];
    if (value === undefined || value === usual) return [];
    return fieldsOf(value).flatMap((text) => [flag, text]);
  });
}

/** The text of a value; of `FIELD=VALUE` options, one for each field. */
function fieldsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [String(value)];
  return Object.entries(value).map(
    ([field, v]) => `${field}=${typeof v === 'string' ? v : JSON.stringify(v)}`,
  );
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
