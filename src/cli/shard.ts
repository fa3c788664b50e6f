/** `--shard`: which part of the inputs is this process's, as said or as a cluster engine says. */
import { InvalidArgumentError } from 'commander';
import { UserError } from '../errors.ts';
import type { Input } from './inputs.ts';
import type { Io } from './io.ts';
import type { Kind } from './options.ts';

/** Part `index` of `count`, from 1; what is left out is the engine's to say. */
export interface ShardChoice {
  readonly index: number | 'auto';
  readonly count?: number;
}

export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** `i/n`, `auto` or `auto/n`. */
export const shardKind: Kind<ShardChoice> = {
  range: 'i/n, 1 to n; or auto, auto/n',
  parse(given) {
    const [, first = '', last] = /^(auto|[1-9]\d*)(?:\/([1-9]\d*))?$/.exec(given) ?? [];
    const index = first === 'auto' ? first : Number(first);
    const count = last === undefined ? undefined : Number(last);
    if (first === '' || (index !== 'auto' && (count === undefined || index > count)))
      throw new InvalidArgumentError(
        'Expected I/N with I from 1 to N, as in 2/8; auto; or auto/N.',
      );
    return { index, ...(count !== undefined && { count }) };
  },
};

/** How an engine numbers the tasks of an array. Most do not tell how many there are. */
interface Engine {
  readonly name: string;
  readonly index: string;
  /** The first task's number. */
  readonly first: string | number;
  readonly last?: string;
  readonly step?: string;
  readonly count?: string;
}

const engines: readonly Engine[] = [
  {
    name: 'Slurm',
    index: 'SLURM_ARRAY_TASK_ID',
    first: 'SLURM_ARRAY_TASK_MIN',
    last: 'SLURM_ARRAY_TASK_MAX',
    step: 'SLURM_ARRAY_TASK_STEP',
    count: 'SLURM_ARRAY_TASK_COUNT',
  },
  {
    name: 'SGE',
    index: 'SGE_TASK_ID',
    first: 'SGE_TASK_FIRST',
    last: 'SGE_TASK_LAST',
    step: 'SGE_TASK_STEPSIZE',
  },
  { name: 'Kubernetes', index: 'JOB_COMPLETION_INDEX', first: 0 },
  { name: 'PBS', index: 'PBS_ARRAY_INDEX', first: 1 },
  { name: 'GNU parallel', index: 'PARALLEL_SEQ', first: 1 },
];

/**
 * The shard that was chosen.
 * @throws UserError if `auto` finds no engine or several, or a task outside 1 to n
 */
export function shardOf({ index, count }: ShardChoice, env: Io['env']): Shard {
  if (index !== 'auto') return { index, count: count as number };
  // SGE says 'undefined' outside of arrays.
  const found = engines.filter((e) => env[e.index] && env[e.index] !== 'undefined');
  const [engine] = found;
  if (!engine)
    throw new UserError('--shard auto: no variable of a cluster engine is set', {
      hint: `looked for ${engines.map((e) => e.index).join(', ')}; give --shard I/N`,
    });
  if (found.length > 1)
    throw new UserError(
      `--shard auto: ${found.map((e) => `${e.name} sets ${e.index}`).join(', ')}`,
      { hint: 'say which one counts: --shard I/N' },
    );
  const told = countOf(engine, env);
  const of = count ?? told;
  if (of === undefined)
    throw new UserError(`--shard auto: ${engine.name} does not tell how many tasks there are`, {
      hint: 'say so: --shard auto/N',
    });
  const first = numberIn(engine.first, env);
  const at = (numberIn(engine.index, env) - first) / stepOf(engine, env) + 1;
  if (!Number.isInteger(at) || at < 1 || at > of)
    throw new UserError(
      `--shard auto: ${engine.index} is ${env[engine.index]}, expected ${of} tasks from ${first}`,
      { hint: 'number the tasks without gaps, or give --shard I/N' },
    );
  return { index: at, count: of };
}

function countOf(engine: Engine, env: Io['env']): number | undefined {
  if (engine.last === undefined) return undefined;
  const spread = numberIn(engine.last, env) - numberIn(engine.first, env);
  const count = spread / stepOf(engine, env) + 1;
  // An array may have gaps, which only its count tells.
  const said = engine.count === undefined ? count : numberIn(engine.count, env);
  if (said !== count)
    throw new UserError(`--shard auto: ${said} tasks numbered with gaps`, {
      hint: 'give --shard I/N',
    });
  return count;
}

function stepOf({ step }: Engine, env: Io['env']): number {
  return step !== undefined && env[step] ? numberIn(step, env) : 1;
}

function numberIn(source: string | number, env: Io['env']): number {
  if (typeof source === 'number') return source;
  const value = Number(env[source] || NaN);
  if (!Number.isSafeInteger(value))
    throw new UserError(`--shard auto: ${source} is '${env[source] ?? ''}', expected an integer`);
  return value;
}

/** Every n-th input in the order of names, so that shards share the work whatever the order given. */
export function shareOf(inputs: readonly Input[], { index, count }: Shard): Input[] {
  const sorted = inputs.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return sorted.filter((_, i) => i % count === index - 1);
}
