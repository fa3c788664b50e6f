/** Whether quality fell: below limits, or behind an earlier run. */
import { UserError } from '../errors.ts';
import type { Group, Measurement, MetricDefinition, Results, Scores } from './results.ts';
import { groupName, sameGroup, type GroupKey } from './summary.ts';
import type { Table } from './table.ts';

/** What is judged: an image, or the means of a group. */
export interface Subject {
  readonly name: string;
  readonly scores: Scores;
}

export interface Limits {
  readonly min: Readonly<Record<string, number>>;
  readonly max: Readonly<Record<string, number>>;
}

export interface Shortfall {
  readonly name: string;
  readonly metric: string;
  /** Undefined where it was not measured, which no limit forgives. */
  readonly value: number | undefined;
  readonly needed: string;
}

/** What is below a minimum or above a maximum. */
export function belowLimits(subjects: readonly Subject[], { min, max }: Limits): Shortfall[] {
  return subjects.flatMap(({ name, scores }) => {
    const value = (metric: string): number => scores[metric] ?? NaN;
    const low = Object.entries(min).filter(([metric, least]) => !(value(metric) >= least));
    const high = Object.entries(max).filter(([metric, most]) => !(value(metric) <= most));
    return [
      ...low.map(([metric, least]) => ({ metric, needed: `at least ${least}` })),
      ...high.map(([metric, most]) => ({ metric, needed: `at most ${most}` })),
    ].map(({ metric, needed }) => ({ name, metric, value: scores[metric], needed }));
  });
}

/**
 * What is worse than in an earlier run by more than a tolerance, or no longer there.
 * @param tolerance by metric; others are not compared
 */
export function behindBaseline(
  now: readonly Subject[],
  before: readonly Subject[],
  tolerance: Readonly<Record<string, number>>,
  metrics: Readonly<Record<string, Pick<MetricDefinition, 'better'>>>,
): Shortfall[] {
  return before.flatMap(({ name, scores }) => {
    const current = now.find((s) => s.name === name)?.scores ?? {};
    return Object.entries(tolerance).flatMap(([metric, allowed]) => {
      const [old, value] = [scores[metric], current[metric]];
      // A NaN of before promised nothing.
      if (old === undefined || Number.isNaN(old) || old === value) return [];
      const better = metrics[metric]?.better ?? 'higher';
      if (badness(value ?? NaN, better) - badness(old, better) <= allowed) return [];
      const needed = `${Number(old.toPrecision(6))} as before, tolerance ${allowed}`;
      return [{ name, metric, value, needed }];
    });
  });
}

/** Grows as quality falls. */
function badness(value: number, better: MetricDefinition['better']): number {
  return { higher: -value, lower: value, one: Math.abs(value - 1) }[better];
}

/** The means of every group. */
export function subjectsOf({ groups }: Pick<Results, 'groups'>): Subject[] {
  return groups.map((g) => ({
    name: groupName(g),
    scores: Object.fromEntries(Object.entries(g.statistics).map(([m, s]) => [m, s.mean])),
  }));
}

/**
 * @param where names the earlier run's file
 * @throws UserError unless both runs had, in every task of `now`, the same images, operators, noise,
 * seeds and number of samples, and none of the earlier one failed: a difference of quality would say
 * nothing
 */
export function refuseIncomparable(
  now: Pick<Results, 'images' | 'measurements' | 'samples'>,
  before: Results,
  where: string,
): void {
  const refuse = (message: string): never => {
    throw new UserError(`${where}: ${message}`, {
      hint: 'compare runs of the same images with the same --tasks, --protocol, --noise, --seed and --samples',
    });
  };
  if (before.samples !== now.samples)
    refuse(`made with --samples ${before.samples}, not ${now.samples}`);
  const others = new Map(before.measurements.map((m) => [nameOf(m), m]));
  for (const m of now.measurements) {
    const key = nameOf(m);
    const other = others.get(key) ?? refuse(`has no ${key}`);
    if (other.sha256 !== m.sha256) refuse(`another operator or mask in ${key}`);
    if (other.sigma !== m.sigma || other.seed !== m.seed)
      refuse(`${key} has noise ${other.sigma} of seed ${other.seed}, not ${m.sigma} of ${m.seed}`);
  }
  for (const { name, sha256 } of now.images)
    if (before.images.find((i) => i.name === name)?.sha256 !== sha256)
      refuse(`made from another file of ${name}`);
  const tasks = new Set(now.measurements.map((m) => m.task));
  const own = new Set(now.measurements.map(nameOf));
  const compared = before.measurements.filter((m) => tasks.has(m.task));
  const missing = compared.map(nameOf).filter((name) => !own.has(name));
  if (missing.length > 0)
    refuse(`has ${missing.length} more: ${listed(missing)}; means would be of other images`);
  for (const g of before.groups.filter(({ task }) => tasks.has(task))) {
    const made = before.cells.filter((c) => sameGroup(c, g)).length;
    const all = compared.filter((m) => m.task === g.task).length * before.samples;
    if (made < all) refuse(`${groupName(g)} has ${made} of ${all} restorations; others failed`);
  }
}

function nameOf({ task, image }: Pick<Measurement, 'task' | 'image'>): string {
  return `${task} of ${image}`;
}

/** The first few, for a message. */
function listed(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(', ')}, …` : names.join(', ');
}

/**
 * @param compared the metrics that are to be compared
 * @throws UserError for one that the earlier run defined otherwise: the numbers are of two things
 */
export function refuseOtherMetrics(
  now: Pick<Results, 'metrics'>,
  before: Pick<Results, 'metrics'>,
  compared: readonly string[],
  where: string,
): void {
  for (const metric of compared) {
    const [old, own] = [before.metrics[metric], now.metrics[metric]];
    if (!old || !own) continue;
    const refuse = (message: string): never => {
      throw new UserError(`${where}: ${message}`, {
        hint: 'make the baseline anew with this version and the same --lpips and --fid',
      });
    };
    if (old.definition !== own.definition)
      refuse(`${metric} is there defined as: ${old.definition}`);
    if (own.files && !old.files) refuse(`does not say of which files the network of ${metric} was`);
    if (own.files?.join() !== old.files?.join())
      refuse(`${metric} is there by another network, or other weights, of the same name`);
  }
}

type Made = GroupKey & Pick<Group, 'settings'>;

/**
 * What was set otherwise in an earlier run, of the groups that both have: scores may differ by that
 * alone. As in `eta 0.5, not 1`; where it does not go for all groups, with their names.
 */
export function otherSettings(now: readonly Made[], before: readonly Made[]): string[] {
  const pairs = now.flatMap((group) => {
    const old = before.find((g) => sameGroup(g, group));
    return old ? [{ name: groupName(group), old: valuesOf(old), own: valuesOf(group) }] : [];
  });
  const found = new Map<string, string[]>();
  for (const { name, old, own } of pairs)
    for (const key of new Set([...old.keys(), ...own.keys()])) {
      const [was, is] = [old.get(key) ?? 'unset', own.get(key) ?? 'unset'];
      const difference = `${key} ${was}, not ${is}`;
      if (was !== is) found.set(difference, [...(found.get(difference) ?? []), name]);
    }
  return [...found].map(([difference, names]) =>
    names.length === pairs.length ? difference : `${difference} in ${listed(names)}`,
  );
}

/** Of words as in `class 3, dsg rate 0.1 interval 1, ddim eta 1`: the last two are method and sampler. */
function valuesOf({ settings }: Made): Map<string, string> {
  const parts = settings.split(', ');
  const [method = '', sampler = ''] = parts.slice(-2);
  const condition = parts.slice(0, -2).join(', ');
  const words = [...method.split(' ').slice(1), 'sampler', ...sampler.split(' ')];
  const values = new Map(condition ? [['condition', condition]] : []);
  for (let i = 0; i + 1 < words.length; i += 2) values.set(words[i]!, words[i + 1]!);
  return values;
}

export function shortfallTable(shortfalls: readonly Shortfall[]): Table {
  return {
    columns: [
      { title: 'fell short' },
      { title: 'metric' },
      { title: 'value', digits: 4 },
      { title: 'needed' },
    ],
    rows: shortfalls.map((s) => [s.name, s.metric, s.value, s.needed]),
  };
}
