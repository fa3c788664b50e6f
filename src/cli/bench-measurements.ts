/** The measurements of a benchmark: one for each image and task, the same for every method. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { resizeLanczos } from '../image/resize.ts';
import { imageShape } from '../operators/operator.ts';
import { canvasFor } from '../pipeline/canvas.ts';
import { compare } from '../pipeline/evaluate.ts';
import type { Task } from '../pipeline/tasks.ts';
import { makeFolder } from '../files/folder.ts';
import { sha256 } from '../files/sha256.ts';
import type { Model } from '../pipeline/model.ts';
import type { Protocol } from '../pipeline/protocol.ts';
import type { Measurement, Results } from '../report/results.ts';
import type { BenchValues } from './commands/bench.ts';
import { writeResult } from './destination.ts';
import { simulate, sizeOf, type Example } from './examples.ts';
import type { Input } from './inputs.ts';
import type { Io } from './io.ts';
import { writeMeasured } from './measured.ts';
import { describeOperator } from './sidecar.ts';

/** A measurement, made anew whenever it is needed: thousands would not fit in memory. */
export interface Source {
  readonly task: Task;
  readonly input: Input;
  readonly measurement: Measurement;
  /** SHA-256 of the clean image's file. */
  readonly sha256: string;
  example(): Promise<Example>;
}

export interface Measured {
  readonly sources: readonly Source[];
  readonly images: Results['images'];
  readonly measurements: Measurement[];
}

/** Degrades every image for every task, and writes what comes of it. */
export async function measureAll(
  inputs: readonly Input[],
  given: {
    readonly values: BenchValues;
    readonly plan: Protocol;
    readonly model: Model;
    readonly fail: (what: string, error: UserError) => void;
    readonly io: Io;
  },
): Promise<Measured> {
  const { values, plan, model, fail, io } = given;
  const { output, seed, fit } = values;
  const measured = {
    sources: [] as Source[],
    images: [] as Results['images'],
    measurements: [] as Measurement[],
  };
  for (const input of inputs) {
    io.signal?.throwIfAborted();
    try {
      const hash = await sha256(input.file);
      for (const task of values.tasks) {
        const sigma = values.noise ?? plan.sigma[task];
        const example = (): Promise<Example> =>
          simulate(input, {
            plan: plan.degradations[task],
            sigma,
            seed,
            fit,
            fixed: model.fixed,
          });
        const made = await example();
        const [, height, width] = made.operator.restored(imageShape(made.measurement));
        canvasFor(model, { height, width }, { margin: fit === 'pad' });
        const measurement = await write(made, task, output, seed);
        measured.measurements.push(measurement);
        measured.sources.push({ task, input, measurement, sha256: hash, example });
        if (measured.images.some((i) => i.name === input.name)) continue;
        const file = `clean/${input.name}.png`;
        await makeFolder(path.dirname(path.join(output, file)));
        await writeResult(path.join(output, file), cleanOf(made), 'png');
        measured.images.push({ name: input.name, ...sizeOf(cleanOf(made)), sha256: hash, file });
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      fail(input.file, error);
    }
  }
  return measured;
}

async function write(
  example: Example,
  task: Task,
  output: string,
  seed: number,
): Promise<Measurement> {
  const { input, degradation, measurement: y } = example;
  const stem = `${task}/measurements/${input.name}`;
  const local = path.join(output, stem);
  const formats = ['png', 'npy'] as const;
  const files = formats.map((format) => ({ file: `${local}.measurement.${format}`, format }));
  await makeFolder(path.dirname(local));
  await writeMeasured(local, files, example, seed);
  const operator = describeOperator(degradation) as Measurement['operator'];
  const clean = cleanOf(example);
  const { height, width } = sizeOf(clean);
  const seen = task === 'sr' ? resizeLanczos(y, height, width) : y;
  return {
    image: input.name,
    task,
    operator,
    sha256: createHash('sha256').update(JSON.stringify(operator)).digest('hex'),
    sigma: example.sigma ?? 0,
    seed,
    file: `${stem}.measurement.png`,
    scores: await compare(seen, clean),
  };
}

/** Of an example that was simulated. */
export function cleanOf({ clean, measurement }: Example): Example['measurement'] {
  return clean ?? measurement;
}
