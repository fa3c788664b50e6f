/** Axes of charts: from values to positions, and round numbers between. */

export interface Scale {
  /** The position of a value. */
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** From the values' extent, widened to round ticks, to positions `from` and `to`. */
export function linear(values: readonly number[], from: number, to: number): Scale {
  const [low, high] = extent(values);
  const step = roundStep((high - low) / 4);
  const [first, last] = [Math.floor(low / step), Math.ceil(high / step)];
  const ticks = Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
  return { at: interpolate(first * step, last * step, from, to), ticks };
}

/** The same for positive values on a logarithmic axis, with the powers of ten as ticks, or 1-2-5. */
export function logarithmic(values: readonly number[], from: number, to: number): Scale {
  const [low, high] = extent(values.filter((v) => v > 0).map(Math.log10));
  const at = interpolate(low, high, from, to);
  const all = [1, 2, 5].flatMap((m) =>
    Array.from({ length: 13 }, (_, i) => Number((m * 10 ** (i - 6)).toPrecision(12))),
  );
  const inside = all.filter((v) => Math.log10(v) >= low - 1e-9 && Math.log10(v) <= high + 1e-9);
  const powers = inside.filter((v) => Number.isInteger(Number(Math.log10(v).toFixed(9))));
  const ticks = (powers.length >= 3 ? powers : inside).sort((a, b) => a - b);
  return { at: (v) => at(Math.log10(v)), ticks };
}

/** Exactly the given positive values as ticks, spaced by their logarithm. */
export function steps(values: readonly number[], from: number, to: number): Scale {
  const ticks = [...new Set(values)].sort((a, b) => a - b);
  if (ticks.length === 1) return { at: () => (from + to) / 2, ticks };
  const at = interpolate(Math.log(ticks[0]!), Math.log(ticks.at(-1)!), from, to);
  return { at: (v) => at(Math.log(v)), ticks };
}

/** The smallest of 1, 2, 5 times a power of ten that is at least `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((m) => m * power).find((s) => s >= least * (1 - 1e-9))!;
}

/** Lowest and highest finite value, apart even where they are one. */
function extent(values: readonly number[]): [number, number] {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  if (finite.length === 0) return [0, 1];
  if (low < high) return [low, high];
  const margin = Math.max(Math.abs(low) * 0.1, 0.1);
  return [low - margin, high + margin];
}

function interpolate(a: number, b: number, from: number, to: number): (v: number) => number {
  return (v) => from + ((v - a) / (b - a)) * (to - from);
}
