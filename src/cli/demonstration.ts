/** DPS, DPS tuned and DPS+DSG on a picture that comes with dsg, beside one another. */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cache } from '../cache/cache.ts';
import { writeAtomic } from '../files/atomic.ts';
import { writeImage } from '../image/write.ts';
import { tasks, type Task } from '../pipeline/tasks.ts';
import { compare } from '../pipeline/evaluate.ts';
import { defaultModel, loadModel, type Model } from '../pipeline/model.ts';
import { protocol } from '../pipeline/protocol.ts';
import { restore } from '../pipeline/stream.ts';
import type { SessionOptions } from '../session/session.ts';
import { toMarkdown, toText } from '../report/table.ts';
import { cleanOf } from './bench-measurements.ts';
import { cacheFor } from './caching.ts';
import type { DemoValues } from './commands/demo.ts';
import { sessionOf } from './computing.ts';
import { makeWritable } from './destination.ts';
import {
  decibels,
  gainsOf,
  keyOf,
  pictureOf,
  tableOf,
  type Demonstrated,
  type Restored,
} from './demo-page.ts';
import { titles, ways } from './demo-ways.ts';
import { simulate } from './examples.ts';
import type { Io } from './io.ts';
import { openLanes, showDuration, type Progress } from './progress.ts';
import { openReport, type Report } from './report.ts';

/** Made by `models/default/held_out.py FOLDER 1 128 9000217`, of version 1 of the scenes. */
const scene = fileURLToPath(new URL('../../assets/demo.png', import.meta.url));
const seed = 0;

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
      const method = way.method(example.task, steps, model.card);
      const { measurement, operator, sigma, task } = example;
      // One name and so one noise, whatever the way.
      return { name: 'demo', measurement, operator, sigma, method, example, task, way };
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
