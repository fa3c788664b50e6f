/** Makes new images, and writes each as it is done. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import { grid } from '../image/grid.ts';
import { readImage } from '../image/read.ts';
import { writeImage } from '../image/write.ts';
import {
  canvasFor,
  imageChannels,
  refuseOtherSize,
  usualSize,
  type Size,
} from '../pipeline/canvas.ts';
import { nameOf } from '../pipeline/generate.ts';
import type { Wanted } from '../pipeline/job.ts';
import type { Model } from '../pipeline/model.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { cacheFor } from './caching.ts';
import { computing, sessionOf } from './computing.ts';
import type { GenerateValues } from './commands/generate.ts';
import { conditioningOf, recordOf, showConditioning } from './conditioning.ts';
import { describeRun } from './describe.ts';
import { openDestination, type Destination } from './destination.ts';
import { writeGenerated } from './generated.ts';
import { digest, hashOf, revision } from './identity.ts';
import type { Input } from './inputs.ts';
import type { Io } from './io.ts';
import { sidecarPath } from './kept.ts';
import { openAims } from './losses.ts';
import { refuseUnheld } from './memory.ts';
import { recordCard } from './model-card.ts';
import { filesRead, noteModel, openModel, readReplay, refuseChannels } from './preparing.ts';
import { openLanes, showDuration, type Progress } from './progress.ts';
import { placesRead, refuseForeignSidecars, refuseReplacing } from './replacing.ts';
import { openReport } from './report.ts';
import { dueOf } from './resuming.ts';
import { sampleAll } from './sampling.ts';
import { settingsForNew, showSettings } from './settings.ts';
import { digestsOf, modelFacts, modelRecord } from './sidecar.ts';
import { tracePaths } from './trace.ts';
import { versions } from './version.ts';

/** Pixels between the images of a grid. */
const gap = 2;

/** @returns the exit code: 1 if some image failed */
export async function generateAll(values: GenerateValues, io: Io): Promise<number> {
  const { count, steps, seed, lanes, trace } = values;
  const model = await openModel(values);
  const size = sizeFor(values, model);
  const conditioning = await conditioningOf(values, model);
  const { condition, classifierFree } = conditioning;
  const classifier = conditioning.guide?.guidance;
  const aims = await openAims(values);
  const settings = settingsForNew(values, model.card, aims.count > 0);
  const losses = await aims.of([imageChannels(model), size.height, size.width]);
  const images = Array.from({ length: count }, (_, i) => ({ file: nameOf(i), name: nameOf(i) }));
  const destination = await openOutput(images, values, model);
  const names = images.map(({ name }) => name);
  const read = await placesRead([], filesRead(values));
  await refuseReplacing(destination, {
    names,
    read,
    beside: (name) => besideGenerated(destination, name, values),
  });
  await refuseForeignSidecars(destination, names);
  const replay =
    values.replay === undefined ? undefined : await readReplay(values.replay, ['--count', count]);
  const facts = await modelFacts(model);
  const record = modelRecord(facts, model);
  const options = {
    ...recordOf(conditioning),
    ...aims.record,
    ...settings,
    steps,
    seed,
    ...computing(values),
    ...(replay && { replay: hashOf(replay) }),
  };
  const { onnxruntime } = versions();
  // What --card and --card-file say is in the card.
  const made = { revision, onnxruntime, model: digestsOf(facts), card: model.card, options };
  const common = digest({ ...made, size, format: destination.format, trace });
  const identify = async ({ name }: Input) => {
    return { identity: { options: common, input: digest({ name }) } };
  };

  let progress: readonly Progress[] = [];
  const report = openReport(io, { ...values, inputs: count }, () => progress[0]?.stop());
  const due = values.resume ? await dueOf(images, { destination, identify, report }) : images;
  const { batch = 1 } = values;
  progress = openLanes(io, { ...values, batch: batch === 'auto' ? 1 : batch, images: due.length });
  noteModel(model, facts, report);
  for (const warning of conditioning.warnings) report.note(`note: ${warning}`);
  const told = [...showConditioning(conditioning, model), ...aims.words];
  report.note(describeRun(model, [...told, showSettings(settings)], values));

  const began = performance.now();
  const jobs: readonly Wanted[] = due.map(({ name }) => ({ name, size, condition, losses }));
  const session = sessionOf(values);
  const cache = cacheFor(io, report.note);
  const { note } = report;
  try {
    await sampleAll(
      jobs,
      {
        model,
        ...settings,
        classifierFree,
        classifier,
        steps,
        seed,
        session,
        cache,
        note,
        batch,
        lanes,
        ...(replay && { replay }),
      },
      {
        destination,
        progress,
        trace,
        io,
        position: (job) => jobs.indexOf(job),
        fail: (job, error) => report.failure(job.name, error),
        collect: (sampled) => ({ ...sampled, timing: { ...sampled.timing, lanes } }),
        write: async (sampled) => {
          const { identity } = await identify({ file: '', name: sampled.job.name });
          const said = { ...options, ...recordCard(values) };
          const about = { destination, model: record, options: said, identity, read, report };
          await writeGenerated(sampled, about);
        },
      },
    );
    if (values.grid !== undefined && report.exitCode() === 0)
      await writeGrid(images, values.grid, destination);
  } finally {
    report.end();
  }
  if (report.results() > 0) {
    const seconds = (performance.now() - began) / 1000;
    report.note(`${report.results()} of ${count} made in ${showDuration(seconds)}`);
    report.next(nextHint(values, destination.folder));
  }
  return report.exitCode();
}

function sizeFor(values: GenerateValues, model: Model): Size {
  const { width = usualSize(model).width } = values;
  const { height = model.fixed?.height ?? width } = values;
  refuseOtherSize(model, { height, width }, '--width and --height');
  refuseUnheld({ height, width }, '--width and --height');
  const canvas = canvasFor(model, { height, width });
  if (canvas.height === height && canvas.width === width) return canvas;
  const { multiple } = model.card;
  throw new UserError(
    `${model.file}: images of ${width}×${height} are no multiple of ${multiple}`,
    { hint: `the next larger size is --width ${canvas.width} --height ${canvas.height}` },
  );
}

/** @throws UserError for images that cannot be written as such */
async function openOutput(
  images: readonly Input[],
  values: GenerateValues,
  model: Model,
): Promise<Destination> {
  const destination = await openDestination(values.output, images, values.format);
  const looked = values.trace !== undefined || values.grid !== undefined;
  if (destination.format !== 'npy' || looked) refuseChannels(model, [1, 3]);
  return destination;
}

function besideGenerated(
  { folder, stem }: Destination,
  name: string,
  { trace, grid }: GenerateValues,
): string[] {
  return [
    sidecarPath(stem(name)),
    ...(trace === undefined ? [] : Object.values(tracePaths(stem(name)))),
    ...(grid === undefined ? [] : [gridIn(folder)]),
  ];
}

const gridIn = (folder: string): string => path.join(folder, 'grid.png');

/** From the files, so that it does not matter which run made them. */
async function writeGrid(
  images: readonly Input[],
  columns: number,
  { folder, result }: Destination,
): Promise<void> {
  const read: Tensor[] = [];
  // One after the other: a process may have no more than some hundred files open.
  for (const { name } of images) read.push((await readImage(result(name))).image);
  const rows = Array.from({ length: Math.ceil(read.length / columns) }, (_, i) =>
    read.slice(i * columns, (i + 1) * columns),
  );
  await writeImage(gridIn(folder), grid(rows, gap), 'png');
}

function nextHint({ grid, trace }: GenerateValues, folder: string): string {
  const look = grid === undefined ? '' : 'grid.png has all; ';
  const watch = trace === undefined ? '' : 'watch NAME.trace.webp; ';
  return `look into ${folder}: ${look}${watch}NAME.json holds what is needed to repeat it`;
}
