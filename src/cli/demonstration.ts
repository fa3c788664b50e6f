/** DPS, DPS tuned and DPS+DSG on a picture that comes with dsg, beside one another. */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cache } from '../cache/cache.ts';
import type { Card } from '../card/card.ts';
import { writeAtomic } from '../files/atomic.ts';
import { preset } from '../guidance/presets.ts';
import { grid } from '../image/grid.ts';
import { label } from '../image/label.ts';
import { resizeLanczos } from '../image/resize.ts';
import { writeImage } from '../image/write.ts';
import type { Scores } from '../metrics/catalogue.ts';
import { tasks, type Task } from '../pipeline/degradation.ts';
import { compare } from '../pipeline/evaluate.ts';
import { defaultModel, loadModel, type Model } from '../pipeline/model.ts';
import { protocol } from '../pipeline/protocol.ts';
import type { Method } from '../pipeline/method.ts';
import { restore } from '../pipeline/stream.ts';
import type { SessionOptions } from '../session/session.ts';
import { toMarkdown, toText, type Table, type Value } from '../report/table.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { cleanOf } from './bench-measurements.ts';
import { cacheFor } from './caching.ts';
import type { DemoValues } from './commands/demo.ts';
import { sessionOf } from './computing.ts';
import { makeWritable } from './destination.ts';
import { simulate, sizeOf, type Example } from './examples.ts';
import type { Io } from './io.ts';
import { openLanes, showDuration, type Progress } from './progress.ts';
import { openReport, type Report } from './report.ts';

/** Made by `models/default/held_out.py FOLDER 1 128 9000217`. */
const scene = fileURLToPath(new URL('../../assets/demo.png', import.meta.url));
const seed = 0;

const titles: Record<Task, string> = {
  inpaint: 'inpainting',
  sr: 'super-resolution ×4',
  deblur: 'deblurring',
};

interface Way {
  readonly title: string;
  method(task: Task, steps: number, given: { card: Card; side: number }): Method;
}

/** The last is compared with those before. */
const ways: readonly Way[] = [
  {
    title: 'DPS as published',
    method: (task, steps) => ({ name: 'dps', ...preset(task, 'dps', steps, 'article') }),
  },
  {
    title: 'DPS tuned',
    method(task, steps, { card, side }) {
      const { stepSize } = preset(task, 'dps', steps, card.presets);
      // It is for 256×256, and grows as the side: see bench/README.md.
      return { name: 'dps', stepSize: (stepSize * side) / 256 };
    },
  },
  {
    title: 'DPS+DSG',
    method: (task, steps, { card }) => ({
      name: 'dsg',
      ...preset(task, 'dsg', steps, card.presets),
    }),
  },
];

interface Restored {
  readonly image: Tensor;
  readonly scores: Scores;
}

/** What came of each way: by task, way and step count. */
type Results = ReadonlyMap<string, Restored>;
const keyOf = (task: Task, { title }: Way, steps: number): string => [task, title, steps].join();

/** @returns the exit code: 1 if a restoration diverged */
export async function demonstrate(values: DemoValues, io: Io): Promise<number> {
  const { output, steps, quiet } = values;
  const began = performance.now();
  await makeWritable(output);
  const model = await loadModel(defaultModel);
  const examples = await Promise.all(tasks.map((task) => degraded(task)));
  let progress: readonly Progress[] = [];
  const report = openReport(io, { json: false, quiet, inputs: 1 }, () => progress[0]?.stop());
  const cache = cacheFor(io, report.note);
  const results = new Map<string, Restored>();
  try {
    for (const count of steps) {
      const lanes = Math.min(4, availableParallelism());
      const images = tasks.length * ways.length;
      // Without a terminal the notes are enough.
      const silent = quiet || !io.stderr.isTTY;
      progress = openLanes(io, { images, steps: count, batch: 1, quiet: silent, lanes });
      const given = { model, session: sessionOf(values), cache, lanes, progress, report, io };
      const found = restoreAll(examples, count, given);
      for (const [key, restored] of await found) results.set(key, restored);
    }
  } finally {
    report.end();
  }
  const table = await tableOf(examples, steps, results);
  const gains = gainsOf(steps, results);
  const intro = `PSNR in dB and SSIM of one sample each, noise ${examples[0]!.sigma} on [-1,1], seed ${seed}`;
  await writeImage(path.join(output, 'demo.png'), await pictureOf(examples, steps, results), 'png');
  await writeAtomic(
    path.join(output, 'demo.md'),
    `${intro}, by number of steps:\n\n${toMarkdown(table)}\n${gains.join('\n')}\n`,
  );
  io.stdout.write(`${intro}\n\n${toText(table)}\n${gains.join('\n')}\n`);
  report.note(`done in ${showDuration((performance.now() - began) / 1000)}`);
  report.next(`look at ${path.join(output, 'demo.png')}`);
  return report.exitCode();
}

interface Demonstrated extends Example {
  readonly task: Task;
}

async function degraded(task: Task): Promise<Demonstrated> {
  const { degradations, sigma } = protocol('article');
  const example = await simulate(
    { file: scene, name: 'demo' },
    { plan: degradations[task], sigma: sigma[task], seed, fit: undefined, fixed: undefined },
  );
  return { ...example, task };
}

/** Every task in every way with one number of steps. */
async function restoreAll(
  examples: readonly Demonstrated[],
  steps: number,
  given: {
    readonly model: Model;
    readonly session: SessionOptions;
    readonly cache: Cache | undefined;
    readonly lanes: number;
    readonly progress: readonly Progress[];
    readonly report: Report;
    readonly io: Io;
  },
): Promise<Map<string, Restored>> {
  const { model, session, cache, lanes, progress, report, io } = given;
  const jobs = examples.flatMap((example) =>
    ways.map((way) => {
      const side = Math.sqrt(cleanOf(example).data.length / 3);
      const method = way.method(example.task, steps, { card: model.card, side });
      const { measurement, operator, task } = example;
      // One name and so one noise, whatever the way.
      return { name: 'demo', measurement, operator, method, example, task, way };
    }),
  );
  const found = new Map<string, Restored>();
  const events = restore(jobs, {
    model,
    method: { name: 'none' },
    sampler: { name: 'ddim', eta: 1 },
    steps,
    seed,
    session,
    cache,
    note: report.note,
    lanes,
    ...(io.signal && { signal: io.signal }),
  });
  for await (const event of events) {
    if (event.type === 'start')
      progress[event.lane]?.start({ first: jobs.indexOf(event.jobs[0]), size: 1 });
    else if (event.type === 'step')
      progress[event.lane]?.step(event.taken, event.progress.loss?.[0]);
    else {
      const { task, way, example } = event.job;
      const what = `${titles[task]}, ${way.title}, ${steps} steps`;
      if (event.type === 'failure') report.failure(what, event.error);
      else {
        const scores = await compare(event.image, cleanOf(example));
        found.set(keyOf(task, way, steps), { image: event.image, scores });
        report.note(`${what}: ${decibels(scores)}`);
      }
    }
  }
  return found;
}

/** The measurement at the size of the image. */
function seen(example: Demonstrated): Tensor {
  const { height, width } = sizeOf(cleanOf(example));
  const { task, measurement } = example;
  return task === 'sr' ? resizeLanczos(measurement, height, width) : measurement;
}

/** A line for the measurement of each task, and one for each way. */
async function tableOf(
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
function gainsOf(steps: readonly number[], results: Results): string[] {
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
async function pictureOf(
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

function decibels({ psnr }: Scores): string {
  return `${psnr?.toFixed(2)} dB`;
}
