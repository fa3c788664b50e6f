/** Restores measurements, and writes each image as it is done. */
import { usualSigma } from '../guided/measured.ts';
import type { Loss } from '../losses/loss.ts';
import { imageShape } from '../operators/operator.ts';
import type { Condition } from '../pipeline/condition.ts';
import { weighsNoise } from '../pipeline/method.ts';
import { isFile } from '../files/read.ts';
import { recordFiles } from '../pipeline/record.ts';
import { posteriorOf } from '../pipeline/posterior.ts';
import { cacheFor } from './caching.ts';
import { computing, sessionOf } from './computing.ts';
import type { RestoreValues } from './commands/restore.ts';
import { conditioningOf, recordOf, showConditioning } from './conditioning.ts';
import { sourceOf } from './degradation.ts';
import { describeRun } from './describe.ts';
import { openDestination } from './destination.ts';
import type { Example } from './examples.ts';
import { identifier, type Identified } from './identity.ts';
import { findInputs, stemOf, type Input } from './inputs.ts';
import type { Io } from './io.ts';
import { openAims } from './losses.ts';
import { withRecipe } from './method-options.ts';
import { recordCard } from './model-card.ts';
import {
  noteModel,
  openModel,
  openReader,
  filesRead,
  readReplay,
  refuseChannels,
  tilingOf,
} from './preparing.ts';
import { openLanes, showDuration, type Progress } from './progress.ts';
import { readAll } from './reading.ts';
import { placesRead, refuseForeignSidecars, refuseReplacing } from './replacing.ts';
import { openReport, type Report } from './report.ts';
import { besideRestored, writeRestored } from './restored.ts';
import { dueOf } from './resuming.ts';
import { sampleAll } from './sampling.ts';
import {
  refuseIdle,
  refuseUnguided,
  samplerFor,
  settingsFor,
  showSettings,
  type Settings,
} from './settings.ts';
import { openGathering, repeated, type Sample } from './samples.ts';
import { shardOf, shareOf } from './shard.ts';
import { modelFacts, modelRecord } from './sidecar.ts';
import type { Frame } from './trace.ts';

/** An example with what the sampler and the sidecar want to know of it. */
interface Described extends Example {
  readonly condition: Condition;
  readonly losses: readonly Loss[];
  readonly method: Settings['method'];
  readonly settings: Settings;
  readonly identified: Identified;
}

/** A sample of it to draw. */
type Job = Described & Sample;

/** @returns the exit code: 1 if some image failed */
export async function restoreAll(
  paths: readonly string[],
  values: RestoreValues,
  io: Io,
): Promise<number> {
  const chosen = withRecipe(values);
  refuseIdle(chosen, chosen.method ?? 'dsg');
  const { lanes, samples, seed, steps, simulate, trace } = values;
  const found = await findInputs(paths, {
    except: values.output,
    from: values.simulate ? 'clean' : 'measurements',
    stdin: io.stdin,
    base: values.base,
  });
  const inputs = values.shard ? shareOf(found, shardOf(values.shard, io.env)) : found;
  const model = await openModel(values);
  refuseChannels(model, [3]);
  const conditioning = await conditioningOf(values, model);
  const { condition, classifierFree } = conditioning;
  const classifier = conditioning.guide?.guidance;
  const aims = await openAims(values);
  refuseUnguided(aims.count, chosen.method);
  const reader = await openReader(inputs, values, model);
  const replay =
    values.replay === undefined
      ? undefined
      : await readReplay(values.replay, ['--samples', samples]);
  const destination = await openDestination(values.output, found, values.format);
  const measured = simulate ? [] : found.flatMap(({ file }) => recordFiles(stemOf(file)));
  const names = inputs.map(({ name }) => name);
  const read = await placesRead(found, [...filesRead(values), ...measured.filter(isFile)]);
  await refuseReplacing(destination, {
    names,
    read,
    beside: (name) => besideRestored(destination.stem(name), destination.format, values),
  });
  await refuseForeignSidecars(destination, names);
  const facts = await modelFacts(model);
  const { format } = destination;
  const { plan } = reader;
  const identify = identifier({ values, model, conditioning, aims, facts, plan, replay, format });

  let progress: readonly Progress[] = [];
  const report = openReport(io, { ...values, inputs: inputs.length }, () => progress[0]?.stop());
  const due = values.resume ? await dueOf(inputs, { destination, identify, report }) : inputs;
  const batch = values.batch ?? (samples > 1 ? 'auto' : 1);
  progress = openLanes(io, {
    ...values,
    batch: batch === 'auto' ? 1 : batch,
    images: due.length * samples,
    noun: samples > 1 ? 'sample' : 'image',
  });
  noteModel(model, facts, report);
  for (const warning of [...conditioning.warnings, ...reader.notes])
    report.note(`note: ${warning}`);
  const told = [...showConditioning(conditioning, model), ...aims.words];
  const note = onceEach(report);
  const describe = async (input: Input): Promise<Described> => {
    const example = await reader.read(input);
    const { task } = example.degradation;
    const settings = settingsFor(task, values, model.card);
    note(describeRun(model, [task, ...told, showSettings(settings)], values));
    const assumed = assumedNoise(example, settings);
    if (assumed !== undefined)
      note(`note: noise of ${assumed} on [-1,1] is assumed in measurements; --noise says it`);
    const identified = await identify(input);
    const { operator, measurement } = example;
    const losses = await aims.of(operator.restored(imageShape(measurement)));
    return { ...example, condition, losses, method: settings.method, settings, identified };
  };

  const began = performance.now();
  const recorded = modelRecord(facts, model);
  const target = { destination, simulated: simulate, seed, model: recorded, read, report };
  const failed = new Set<Input>();
  const gathering = openGathering(samples);
  // Where there are several samples, of the first.
  const frames = new Map<Input, readonly Frame[]>();
  try {
    const options = {
      model,
      // Each job brings its own, which depends on its task.
      method: { name: 'none' },
      sampler: samplerFor(chosen, model.card),
      classifierFree,
      classifier,
      steps,
      seed,
      session: sessionOf(values),
      cache: cacheFor(io, report.note),
      note: report.note,
      batch,
      lanes,
      ...(replay && { replay }),
      start: values.start,
      margin: values.fit === 'pad',
      tiling: tilingOf(values, model),
    } as const;
    await sampleAll(repeated(readAll(due, describe, report), samples, failed), options, {
      destination,
      progress,
      trace,
      io,
      position: ({ input, sample }) => due.indexOf(input) * samples + sample,
      fail({ input }, error) {
        gathering.drop(input);
        frames.delete(input);
        // One sample that diverges is enough to fail an image, once.
        if (!failed.has(input)) report.failure(input.file, error);
        failed.add(input);
      },
      collect({ job, image, timing, frames: path }) {
        const { input, identified, sample } = job;
        if (failed.has(input)) return undefined;
        if (sample === 0) frames.set(input, path);
        const gathered = gathering.add(job, image, timing);
        if (!gathered) return undefined;
        const posterior = samples > 1 ? posteriorOf(gathered.samples) : undefined;
        const restored = {
          example: job,
          identified,
          image: posterior?.mean ?? image,
          posterior,
          frames: frames.get(input) ?? [],
          timing: { ...gathered.timing, lanes },
          options: effective(job, values, { ...recordOf(conditioning), ...aims.record }),
        };
        frames.delete(input);
        return restored;
      },
      write: (restored) => writeRestored(restored, target),
    });
  } finally {
    report.end();
  }
  if (report.results() > 0) {
    const seconds = (performance.now() - began) / 1000;
    report.note(`${report.results()} of ${inputs.length} restored in ${showDuration(seconds)}`);
    report.next(nextHint(values, destination.folder));
  }
  return report.exitCode();
}

/** Notes a line when it is first to be noted, however many images it is about. */
function onceEach(report: Report): (line: string) => void {
  const noted = new Set<string>();
  return (line) => {
    if (!noted.has(line)) report.note(line);
    noted.add(line);
  };
}

/** The measurements' sigma where it matters and nobody says it. */
function assumedNoise({ sigma }: Example, { method }: Settings): number | undefined {
  return sigma === undefined && weighsNoise(method) ? usualSigma : undefined;
}

/** What was chosen and what followed from it, for the record. */
function effective(job: Job, values: RestoreValues, told: object): object {
  const { settings, degradation } = job;
  const assumed = assumedNoise(job, settings);
  const { steps, samples, seed, fit, simulate, replay, start, tile, tileOverlap } = values;
  return {
    task: degradation.task,
    ...sourceOf(values, degradation.task),
    ...told,
    ...settings,
    ...(assumed !== undefined && { assumedNoise: assumed }),
    steps,
    ...(samples > 1 && { samples }),
    seed,
    simulate,
    ...computing(values),
    ...recordCard(values),
    ...(fit && { fit }),
    ...(start && { start }),
    ...(tile !== undefined && { tile, tileOverlap }),
    ...(replay !== undefined && { replay }),
  };
}

function nextHint({ simulate, samples, trace }: RestoreValues, folder: string): string {
  const compare = simulate ? 'compare with NAME.measurement.png; ' : '';
  const watch = trace === undefined ? '' : 'watch NAME.trace.webp; ';
  const differ = samples > 1 ? 'see where samples differ in NAME.deviation.png; ' : '';
  return `look into ${folder}: ${compare}${differ}${watch}NAME.json holds what is needed to repeat it`;
}
