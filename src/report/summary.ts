/** Statistics of a benchmark's cells. */
import type { Cell, Group, Statistics } from './results.ts';

/** What the cells of a group have in common. */
export type GroupKey = Pick<Cell, 'task' | 'method' | 'steps'>;

export function sameGroup(a: GroupKey, b: GroupKey): boolean {
  return a.task === b.task && a.method === b.method && a.steps === b.steps;
}

/** `sr dsg 20`, as tables and messages call a group. */
export function groupName({ task, method, steps }: GroupKey): string {
  return `${task} ${method} ${steps}`;
}

/**
 * The statistics of one group's cells.
 * @param settings the method's parameters, in words
 * @param ofSets metrics of the whole set, as FID
 */
export function summarize(
  { task, method, steps }: GroupKey,
  cells: readonly Cell[],
  settings: string,
  ofSets: Readonly<Record<string, number>> = {},
): Group {
  const byImage = new Map<string, Cell[]>();
  for (const cell of cells) byImage.set(cell.image, [...(byImage.get(cell.image) ?? []), cell]);
  const metrics = [...new Set(cells.flatMap((c) => Object.keys(c.scores)))];
  const statistics = Object.fromEntries([
    ...metrics.map((metric) => [metric, statisticsOf([...byImage.values()], metric)] as const),
    ...Object.entries(ofSets).map(([metric, mean]) => [metric, { mean }] as const),
  ]);
  return { task, method, steps, settings, images: byImage.size, statistics };
}

function statisticsOf(byImage: readonly (readonly Cell[])[], metric: string): Statistics {
  const images = byImage
    .map((cells) => cells.filter((c) => metric in c.scores))
    .filter((cells) => cells.length > 0);
  const score = (c: Cell): number => c.scores[metric]!;
  const all = images.flatMap((cells) => cells.map(score));
  const means = images.map((cells) => mean(cells.map(score)));
  const overImages = deviation(means);
  const spreads = images.map((cells) => deviation(cells.map(score)));
  const overSamples = mean(spreads.filter((s) => s !== undefined));
  return {
    mean: mean(means),
    ...(Number.isFinite(overImages) && { deviation: overImages }),
    ...(Number.isFinite(overSamples) && { sampleDeviation: overSamples }),
    ...(images.some((cells) => cells.length > 1) && {
      bestByResidual: mean(images.map((cells) => score(bestByResidual(cells)))),
    }),
    lowest: Math.min(...all),
    highest: Math.max(...all),
  };
}

/** The sample that fits its measurement best: a choice that needs no reference. */
export function bestByResidual(cells: readonly Cell[]): Cell {
  const residual = (c: Cell): number => c.scores['residual'] ?? Infinity;
  return cells.reduce((best, c) => (residual(c) < residual(best) ? c : best));
}

/** NaN for no values. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

/** The sample standard deviation (n − 1) of at least two values. */
export function deviation(values: readonly number[]): number | undefined {
  if (values.length < 2) return undefined;
  const m = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1));
}

/** The value at a fraction of sorted values, interpolated between neighbours. */
export function quantile(sorted: readonly number[], fraction: number): number {
  const at = fraction * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return low + (high - low) * (at - Math.floor(at));
}
