/** Restores images side by side and in batches, and writes each as it is done. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import type { Task } from '../pipeline/degradation.ts';
import type { Model } from '../pipeline/model.ts';
import { posteriorOf } from '../pipeline/posterior.ts';
import { restore, type RestoreEvent } from '../pipeline/stream.ts';
import { providersFor } from '../session/device.ts';
import type { RestoreValues } from './commands/restore.ts';
import { openDestination, type Destination } from './destination.ts';
import type { Example } from './examples.ts';
import { identifier, type Identified } from './identity.ts';
import { findInputs, type Input } from './inputs.ts';
import type { Io } from './io.ts';
import { openModel, openReader, readReplay } from './preparing.ts';
import { openLanes, showDuration, type Progress } from './progress.ts';
import { readAll } from './reading.ts';
import { openReport, type Report } from './report.ts';
import { writeRestored } from './restored.ts';
import { filesOf, keptResult } from './resuming.ts';
import { refuseIdle, samplerFor, settingsFor, showSettings, type Settings } from './settings.ts';
import { openGathering, repeated, type Sample } from './samples.ts';
import { shardOf, shareOf } from './shard.ts';
import { modelFacts, type ModelFacts } from './sidecar.ts';
import { framesOf, isTraced, type Frame } from './trace.ts';
import { concernsOneFile, openWrites } from './writing.ts';

/** An example with what the sampler and the sidecar want to know of it. */
interface Described extends Example {
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
  refuseIdle(values);
  const { lanes, samples, seed, steps, simulate, trace } = values;
  const found = await findInputs(paths, values.output, io.stdin);
  const inputs = values.shard ? shareOf(found, shardOf(values.shard, io.env)) : found;
  const model = await openModel(values);
  const reader = await openReader(inputs, values, model);
  const replay = values.replay === undefined ? undefined : await readReplay(values.replay, samples);
  const destination = await openDestination(values.output, found, values.format);
  const facts = await modelFacts(model);
  const { format } = destination;
  const { plan } = reader;
  const identify = identifier({ values, model, facts, plan, replay, format });

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
  const noteTask = taskNoter(values, model, report);
  const read = async (input: Input): Promise<Described> => {
    const example = await reader.read(input);
    const { task } = example.degradation;
    const settings = settingsFor(task, values, model.card);
    noteTask(task, settings);
    const identified = await identify(input);
    return { ...example, method: settings.method, settings, identified };
  };

  const began = performance.now();
  const stop = new AbortController();
  const writes = openWrites(2 * lanes);
  const failed = new Set<Input>();
  const gathering = openGathering(samples);
  // Where there are several samples, of the first.
  const frames = new Map<Input, Frame[]>();
  try {
    const events = restore(repeated(readAll(due, read, report), samples, failed), {
      model,
      // Each job brings its own, which depends on its task.
      method: { name: 'none' },
      sampler: samplerFor(values, model.card),
      steps,
      seed,
      session: { device: values.device },
      batch,
      lanes,
      signal: io.signal ? AbortSignal.any([io.signal, stop.signal]) : stop.signal,
      ...(replay && { replay }),
      ...(values.fit === 'pad' && { margin: true }),
    });
    const target = { destination, simulated: simulate, seed, model: facts, report };
    for await (const event of events) {
      show(event, progress, { due, samples });
      if (event.type === 'start')
        for (const { sample, input } of event.jobs) if (sample === 0) frames.set(input, []);
      if (event.type === 'step' && trace !== undefined) keepFrames(event, frames, trace);
      if (event.type === 'failure') {
        const { input } = event.job;
        frames.delete(input);
        gathering.drop(input);
        // One sample that diverges is enough to fail an image, once.
        if (!failed.has(input)) report.failure(input.file, event.error);
        failed.add(input);
      }
      if (event.type !== 'result') continue;
      const { job } = event;
      const gathered = failed.has(job.input)
        ? undefined
        : gathering.add(job, event.image, event.timing);
      if (!gathered) continue;
      const posterior = samples > 1 ? posteriorOf(gathered.samples) : undefined;
      const restored = {
        example: job,
        identified: job.identified,
        image: posterior?.mean ?? event.image,
        posterior,
        frames: frames.get(job.input) ?? [],
        timing: { ...gathered.timing, lanes },
        options: effective(job, values),
      };
      frames.delete(job.input);
      await writes.add(async () => {
        try {
          await writeRestored(restored, target);
        } catch (error) {
          const gone = await destination.missing();
          if (!gone && concernsOneFile(error)) report.failure(job.input.file, error);
          else stop.abort(resumable(gone ?? error));
        }
      });
    }
    await writes.done();
    stop.signal.throwIfAborted();
  } finally {
    await writes.done();
    report.end();
  }
  if (report.results() > 0) {
    const seconds = (performance.now() - began) / 1000;
    report.note(`${report.results()} of ${inputs.length} restored in ${showDuration(seconds)}`);
    report.next(nextHint(values, destination.folder));
  }
  return report.exitCode();
}

/** What is left to do; the results of the rest are reported from their sidecars. */
async function dueOf(
  inputs: readonly Input[],
  {
    destination,
    identify,
    report,
  }: {
    destination: Destination;
    identify: (input: Input) => Promise<Identified>;
    report: Report;
  },
): Promise<Input[]> {
  const due: Input[] = [];
  for (const input of inputs) {
    const kept = await keptResult(input, destination, identify);
    if (!kept) due.push(input);
    else {
      const { stem } = destination;
      const files = filesOf(`${stem(input.name)}.json`, kept);
      report.kept({ ...kept, files }, input.name);
    }
  }
  const complete = inputs.length - due.length;
  report.note(`resume: ${complete} of ${inputs.length} complete, ${due.length} to do`);
  return due;
}

function show(
  event: RestoreEvent<Job>,
  progress: readonly Progress[],
  { due, samples }: { readonly due: readonly Input[]; readonly samples: number },
): void {
  if (event.type === 'start') {
    const { input, sample } = event.jobs[0];
    const first = due.indexOf(input) * samples + sample;
    progress[event.lane]?.start({ first, size: event.jobs.length });
  } else if (event.type === 'step') {
    const { loss } = event.progress;
    progress[event.lane]?.step(event.taken, loss && Math.max(...loss));
  }
}

function keepFrames(
  { jobs, taken, progress }: Extract<RestoreEvent<Job>, { type: 'step' }>,
  frames: ReadonlyMap<Input, Frame[]>,
  every: number,
): void {
  if (!isTraced(taken - 1, progress.step.index, every)) return;
  const all = framesOf(progress);
  jobs.forEach(({ input, sample }, i) => {
    if (sample === 0) frames.get(input)?.push(all[i] as Frame);
  });
}

/** The failure that ends a run, with how to go on. */
function resumable(error: unknown): unknown {
  if (!(error instanceof UserError) || error.hint !== undefined) return error;
  const hint = 'what was finished is whole; put it right and run again with --resume';
  return new UserError(error.message, { cause: error.cause, hint });
}

function noteModel(model: Model, facts: ModelFacts, report: Report): void {
  for (const warning of model.warnings) report.note(`note: ${warning}`);
  const { sha256 } = model.card;
  if (sha256 !== undefined && sha256 !== facts.sha256)
    report.note(`note: ${model.file}: not the file its card was written for (sha256 differs)`);
}

/** Says how a task is restored, when its first image comes. */
function taskNoter(
  { steps, samples, seed, device }: RestoreValues,
  model: Model,
  report: Report,
): (task: Task, settings: Settings) => void {
  const noted = new Set<Task>();
  return (task, settings) => {
    if (noted.has(task)) return;
    noted.add(task);
    const inferred = model.inferred.length > 0 ? `; inferred ${model.inferred.join(', ')}` : '';
    report.note(
      `${path.basename(model.file)}: ${task}, ${showSettings(settings)}, ${steps} steps, ` +
        (samples > 1 ? `${samples} samples, ` : '') +
        `seed ${seed}, ${providersFor(device)[0]}${inferred}`,
    );
  };
}

/** What was chosen and what followed from it, for the record. */
function effective({ settings, degradation }: Job, values: RestoreValues): object {
  const { steps, samples, seed, device, fit, simulate, replay } = values;
  return {
    task: degradation.task,
    ...settings,
    steps,
    ...(samples > 1 && { samples }),
    seed,
    simulate,
    device: providersFor(device)[0],
    ...(fit && { fit }),
    ...(replay !== undefined && { replay }),
  };
}

function nextHint({ simulate, samples, trace }: RestoreValues, folder: string): string {
  const compare = simulate ? 'compare with NAME.measurement.png; ' : '';
  const watch = trace === undefined ? '' : 'watch NAME.trace.webp; ';
  const differ = samples > 1 ? 'see where samples differ in NAME.deviation.png; ' : '';
  return `look into ${folder}: ${compare}${differ}${watch}NAME.json holds what is needed to repeat it`;
}
