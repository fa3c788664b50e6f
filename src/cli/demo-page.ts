/** The table and the picture of what `dsg demo` compares. */
import { grid } from '../image/grid.ts';
import { label } from '../image/label.ts';
import { resizeLanczos } from '../image/resize.ts';
import type { Scores } from '../metrics/catalogue.ts';
import { tasks, type Task } from '../pipeline/tasks.ts';
import { compare } from '../pipeline/evaluate.ts';
import type { Table, Value } from '../report/table.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { cleanOf } from './bench-measurements.ts';
import { titles, ways, type Way } from './demo-ways.ts';
import { sizeOf, type Example } from './examples.ts';

export interface Demonstrated extends Example {
  readonly task: Task;
}

export interface Restored {
  readonly image: Tensor;
  readonly scores: Scores;
}

/** What came of each way: by task, way and step count. */
export type Results = ReadonlyMap<string, Restored>;
export const keyOf = (task: Task, { title }: Way, steps: number): string =>
  [task, title, steps].join();

/** The measurement at the size of the image. */
function seen(example: Demonstrated): Tensor {
  const { height, width } = sizeOf(cleanOf(example));
  const { task, measurement } = example;
  return task === 'sr' ? resizeLanczos(measurement, height, width) : measurement;
}

/** A line for the measurement of each task, and one for each way. */
export async function tableOf(
  examples: readonly Demonstrated[],
  steps: readonly number[],
  results: Results,
): Promise<Table> {
  const rows: Value[][] = [];
  for (const example of examples) {
    const { task } = example;
    const before = await compare(seen(example), cleanOf(example));
    const title = task === 'sr' ? 'measurement, Lanczos' : 'measurement';
    rows.push([titles[task], title, ...steps.flatMap(() => [before.psnr, before.ssim])]);
    for (const way of ways) {
      const scores = steps.map((n) => results.get(keyOf(task, way, n))?.scores);
      rows.push([titles[task], way.title, ...scores.flatMap((s) => [s?.psnr, s?.ssim])]);
    }
  }
  const columns = steps.flatMap((n) => [
    { title: `PSNR ${n}`, digits: 2 },
    { title: `SSIM ${n}`, digits: 3 },
  ]);
  return { columns: [{ title: 'task' }, { title: 'method' }, ...columns], rows };
}

/** How far the last way is ahead of each other one. */
export function gainsOf(steps: readonly number[], results: Results): string[] {
  const last = ways.at(-1)!;
  return ways.slice(0, -1).map((way) => {
    const each = steps.map((n) => {
      const gains = tasks.map((task) => {
        const [a, b] = [last, way].map((w) => results.get(keyOf(task, w, n))?.scores.psnr);
        return (a ?? NaN) - (b ?? NaN);
      });
      return `${gains.map((g) => (g < 0 ? '' : '+') + g.toFixed(1)).join(', ')} dB at ${n} steps`;
    });
    return `${last.title} against ${way.title} (${tasks.map((t) => titles[t]).join(', ')}): ${each.join('; ')}.`;
  });
}

/** A row of pictures for each task, with their PSNR below. */
export async function pictureOf(
  examples: readonly Demonstrated[],
  steps: readonly number[],
  results: Results,
): Promise<Tensor> {
  const { width } = sizeOf(cleanOf(examples[0]!));
  const words = (...lines: string[]): Promise<Tensor> => label(lines, width);
  const columns = steps.flatMap((n) => ways.map((way) => ({ n, way })));
  const rows: Tensor[][] = [
    await Promise.all([
      words('', 'original'),
      words('', 'measurement'),
      ...columns.map(({ n, way }) => words(`${n} steps`, way.title)),
    ]),
  ];
  for (const example of examples) {
    const { task } = example;
    const restored = columns.map(({ n, way }) => results.get(keyOf(task, way, n)));
    const blank = await words('diverged');
    rows.push([cleanOf(example), example.measurement, ...restored.map((r) => r?.image ?? blank)]);
    const before = await compare(seen(example), cleanOf(example));
    rows.push(
      await Promise.all([
        words(titles[task]),
        words(decibels(before) + (task === 'sr' ? ', Lanczos' : '')),
        ...restored.map((r) => words(r ? decibels(r.scores) : '')),
      ]),
    );
  }
  return grid(rows, 4);
}

export function decibels({ psnr }: Scores): string {
  return `${psnr?.toFixed(2)} dB`;
}
