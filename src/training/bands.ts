/** The loss by noise level: it falls by orders of magnitude from one end to the other. */
import type { StepResult } from './trainer.ts';

/** Timesteps are told apart by quarters of the schedule. */
const bandCount = 4;

/** Mean loss of the images of each quarter; undefined where there are none. */
export function bandsOf(
  { losses, timesteps }: Pick<StepResult, 'losses' | 'timesteps'>,
  T: number,
): (number | undefined)[] {
  const sums = new Float64Array(bandCount);
  const counts = new Float64Array(bandCount);
  timesteps.forEach((t, i) => {
    const band = Math.floor((t * bandCount) / T);
    sums[band] = (sums[band] as number) + (losses[i] as number);
    counts[band] = (counts[band] as number) + 1;
  });
  return Array.from(sums, (sum, i) => (counts[i] ? sum / (counts[i] as number) : undefined));
}

/** What the bands are called: `t<250` and so on. */
export function bandNames(T: number): string[] {
  return Array.from({ length: bandCount }, (_, i) => `t<${Math.ceil(((i + 1) * T) / bandCount)}`);
}

/** Running means, each over about the last hundred values. */
export function runningMeans(count: number): {
  add(values: readonly (number | undefined)[]): void;
  means(): readonly (number | undefined)[];
} {
  const means = new Array<number | undefined>(count).fill(undefined);
  const seen = new Float64Array(count);
  return {
    add(values) {
      values.forEach((value, i) => {
        if (value === undefined) return;
        const n = (seen[i] = Math.min((seen[i] as number) + 1, 100));
        const before = means[i] ?? value;
        means[i] = before + (value - before) / n;
      });
    },
    means: () => means,
  };
}
