/** Restores and scores all images of a benchmark in one way; what is there already is kept. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { UserError } from '../errors.ts';
import { writeAtomic } from '../files/atomic.ts';
import { makeFolder } from '../files/folder.ts';
import { sha256, sha256Of } from '../files/sha256.ts';
import { catalogue, type Scores } from '../metrics/catalogue.ts';
import { compare, residual } from '../pipeline/evaluate.ts';
import type { Perceptual } from '../pipeline/features.ts';
import type { Model } from '../pipeline/model.ts';
import { sampleName } from '../pipeline/posterior.ts';
import { openRestorer, type Restorer } from '../pipeline/restore.ts';
import { cellSchema, scoresJson, type Cell } from '../report/results.ts';
import type { GroupKey } from '../report/summary.ts';
import { NonFiniteError } from '../samplers/finite.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { cleanOf, type Source } from './bench-measurements.ts';
import { cacheFor } from './caching.ts';
import type { BenchValues } from './commands/bench.ts';
import { computing, sessionOf } from './computing.ts';
import { recordOf, type Conditioning } from './conditioning.ts';
import { encodeResult } from './destination.ts';
import { revision } from './identity.ts';
import type { Io } from './io.ts';
import { openProgress, type Progress } from './progress.ts';
import type { Settings } from './settings.ts';
import { digestsOf, type ModelFacts } from './sidecar.ts';
import { version, versions } from './version.ts';

export interface Job extends GroupKey {
  readonly task: Source['task'];
  readonly method: Settings['method']['name'];
  readonly settings: Settings;
  readonly sources: readonly Source[];
  readonly model: Model;
  readonly conditioning: Conditioning;
  readonly facts: ModelFacts;
  readonly values: BenchValues;
  readonly perceptual: Perceptual | undefined;
}

/** One restoration to make: an image and a sample of it. */
interface Due {
  readonly source: Source;
  readonly sample: number;
  readonly hash: string;
  /** Path below the output folder, without extension. */
  readonly stem: string;
}

/** The cells of a group. Images that diverge are reported and left out. */
export async function restoreGroup(
  job: Job,
  { fail, io }: { fail: (what: string, error: UserError) => void; io: Io },
): Promise<Cell[]> {
  const { sources, steps, values, model, settings, conditioning } = job;
  const cells: Cell[] = [];
  const all = sources.flatMap((source) =>
    Array.from({ length: values.samples }, (_, sample) => dueOf(job, source, sample)),
  );
  // A terminal sees every step; elsewhere a line for each of many short runs would be too much.
  const quiet = values.quiet || !io.stderr.isTTY;
  const progress = openProgress(io, { images: all.length, steps, quiet, batch: 1 });
  const note = (line: string): void => {
    progress.stop();
    if (!values.quiet) io.stderr.write(`${line}\n`);
  };
  const cache = cacheFor(io, note);
  let restorer: Restorer | undefined;
  try {
    for (const [first, due] of all.entries()) {
      const kept = await keptCell(due, values.output);
      if (kept) {
        cells.push(kept);
        continue;
      }
      restorer ??= openRestorer({
        model,
        ...settings,
        classifierFree: conditioning.classifierFree,
        classifier: conditioning.guide?.guidance,
        steps,
        seed: values.seed,
        margin: values.fit === 'pad',
        session: sessionOf(values),
        cache,
        note,
      });
      progress.start({ first, size: 1 });
      try {
        cells.push(await restoreCell(job, due, { restorer, progress, io }));
      } catch (error) {
        if (!(error instanceof NonFiniteError)) throw error;
        progress.stop();
        fail(due.stem, error);
      }
    }
  } finally {
    progress.stop();
    await restorer?.release();
  }
  return cells;
}

function dueOf(job: Job, source: Source, sample: number): Due {
  const { task, method, steps, settings, values, model, conditioning, facts, perceptual } = job;
  const { measurement, input } = source;
  const stem = `${task}/${method}-${steps}/${input.name}.sample${sample}`;
  // Scores are kept with what they are of: a metric that is defined anew is measured anew.
  const made = {
    dsg: version,
    onnxruntime: versions().onnxruntime,
    model: digestsOf(facts),
    card: model.card,
    ...recordOf(conditioning),
    image: source.sha256,
    name: input.name,
    fit: values.fit,
    operator: measurement.sha256,
    sigma: measurement.sigma,
    seed: values.seed,
    settings,
    steps,
    sample,
    ...computing(values),
    revision,
    metrics: [catalogue, perceptual?.definition, ...(perceptual?.files ?? [])],
  };
  const hash = createHash('sha256').update(JSON.stringify(made)).digest('hex');
  return { source, sample, hash, stem };
}

/** The cell of an earlier run, if it was made alike and its picture is still the one that was scored. */
async function keptCell({ stem, hash }: Due, output: string): Promise<Cell | undefined> {
  const [json, png] = [path.join(output, `${stem}.json`), path.join(output, `${stem}.png`)];
  try {
    const cell = cellSchema.parse(JSON.parse(await readFile(json, 'utf8')));
    if (cell.hash !== hash) return undefined;
    return (await sha256(png)) === cell.sha256 ? cell : undefined;
  } catch {
    // Whatever is there, if anything, it will be replaced.
    return undefined;
  }
}

async function restoreCell(
  job: Job,
  due: Due,
  { restorer, progress, io }: { restorer: Restorer; progress: Progress; io: Io },
): Promise<Cell> {
  const { task, method, steps, values, perceptual, conditioning } = job;
  const { source, sample, hash, stem } = due;
  const example = await source.example();
  const { measurement, operator, sigma } = example;
  const { condition } = conditioning;
  // The first sample is what `dsg restore` gives; further ones differ in name, hence in noise.
  const name = sampleName(source.input.name, sample);
  const { image, loss, seconds, secondsPerStep } = await sampleOne(
    restorer.restore([{ name, measurement, operator, sigma, condition }], io.signal),
    steps,
    progress,
  );
  const scores: Scores = {
    ...(await compare(image, cleanOf(example), { perceptual })),
    ...(await residual(image, { operator, y: measurement, sigma })),
    secondsPerStep,
  };
  const file = `${stem}.png`;
  await makeFolder(path.dirname(path.join(values.output, file)));
  const png = await encodeResult(image, 'png');
  await writeAtomic(path.join(values.output, file), png);
  const cell: Cell = {
    image: source.input.name,
    task,
    method,
    steps,
    sample,
    hash,
    file,
    sha256: sha256Of(png),
    seconds,
    scores,
    // Where nothing else guides, it is the classifier's.
    loss: method === 'none' ? [] : loss,
  };
  await writeAtomic(path.join(values.output, `${stem}.json`), scoresJson(cell));
  return cell;
}

/** Samples one image to the end. */
async function sampleOne(
  run: ReturnType<Restorer['restore']>,
  steps: number,
  progress: Progress,
): Promise<{ image: Tensor; loss: [number, number][]; seconds: number; secondsPerStep: number }> {
  const loss: [number, number][] = [];
  const began = performance.now();
  let [taken, first] = [0, began];
  for (;;) {
    const { value, done } = await run.next();
    const now = performance.now();
    if (done) {
      const seconds = (now - began) / 1000;
      const perStep = taken > 1 ? (now - first) / 1000 / (taken - 1) : seconds;
      return { image: value[0] as Tensor, loss, seconds, secondsPerStep: perStep };
    }
    if (taken++ === 0) first = now;
    const current = value.loss?.[0];
    // Steps that are averaged share an index; here each has its own.
    if (current !== undefined) loss.push([steps - taken, current]);
    progress.step(taken, current);
  }
}
