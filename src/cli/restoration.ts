/** Restores images batch by batch, and writes each as its batch ends. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import type { Task } from '../pipeline/degradation.ts';
import { canvasFor, defaultModel, loadModel, type Model } from '../pipeline/model.ts';
import { openRestorer, type Replay, type Restorer } from '../pipeline/restore.ts';
import { NonFiniteError } from '../samplers/finite.ts';
import { providersFor } from '../session/device.ts';
import { readNpy } from '../tensor/npy.ts';
import { imageShape } from '../operators/operator.ts';
import { batches, readAll } from './batches.ts';
import type { RestoreValues } from './commands/restore.ts';
import { planOf, sigmaOf } from './degradation.ts';
import { openDestination } from './destination.ts';
import { planForMeasurements, readMeasurement, simulate, type Example } from './examples.ts';
import { findInputs, type Input } from './inputs.ts';
import type { Io } from './io.ts';
import { openProgress, showDuration } from './progress.ts';
import { openReport, type Report } from './report.ts';
import { writeRestored } from './restored.ts';
import { reportDivergence, restoreBatch } from './sampling.ts';
import { refuseIdle, settingsFor, showSettings, type Settings } from './settings.ts';
import { modelFacts, type ModelFacts } from './sidecar.ts';

/** @returns the exit code: 1 if some image failed */
export async function restoreAll(
  paths: readonly string[],
  values: RestoreValues,
  io: Io,
): Promise<number> {
  refuseIdle(values);
  const inputs = await findInputs(paths, values.output);
  const model = await openModel(values.model ?? defaultModel);
  const read = await reader(inputs, values, model);
  const replay = values.replay === undefined ? undefined : await readReplay(values.replay);
  const destination = await openDestination(values.output, inputs, values.format);
  const facts = await modelFacts(model);

  const progress = openProgress(io, { ...values, images: inputs.length });
  const report = openReport(io, { ...values, inputs: inputs.length }, progress.stop);
  noteModel(model, facts, report);
  const restorers = openRestorers(values, model, replay, report);
  const began = performance.now();
  try {
    for await (const batch of batches(readAll(inputs, read, report), values.batch)) {
      const { restorer, settings } = await restorers.of(batch[0].degradation.task);
      progress.start({ first: inputs.indexOf(batch[0].input), size: batch.length });
      const run = await restoreBatch(batch, { restorer, progress, trace: values.trace, io });
      progress.stop();
      if (run instanceof NonFiniteError) {
        reportDivergence(batch, run, report);
        continue;
      }
      const options = effective(batch[0].degradation.task, settings, values);
      for (const restored of run.restored)
        await writeRestored(restored, {
          destination,
          simulated: values.simulate,
          seed: values.seed,
          model: facts,
          options,
          timing: run.timing,
          report,
        });
    }
  } finally {
    progress.stop();
    await restorers.release();
    report.end();
  }
  if (report.results() > 0) {
    const seconds = (performance.now() - began) / 1000;
    report.note(`${report.results()} of ${inputs.length} restored in ${showDuration(seconds)}`);
    report.next(`${nextHint(values, destination.folder)}`);
  }
  return report.exitCode();
}

async function openModel(file: string): Promise<Model> {
  const model = await loadModel(file);
  if (model.channels !== 3)
    throw new UserError(
      `${file}: takes images of ${model.channels} channels, colour images have 3`,
    );
  return model;
}

/** How an input becomes an example, with all that can be wrong about the options found first. */
async function reader(
  inputs: readonly Input[],
  values: RestoreValues,
  model: Model,
): Promise<(input: Input) => Promise<Example>> {
  const { fit, seed } = values;
  const { fixed } = model;
  const checked = (example: Example): Example => {
    const { operator, measurement } = example;
    const [, height, width] = operator.restored(imageShape(measurement));
    canvasFor(model, { height, width }, fit === 'pad');
    return example;
  };
  if (values.simulate) {
    const plan = await planOf(values);
    const options = { plan, sigma: sigmaOf(values), seed, fit, fixed };
    return async (input) => checked(await simulate(input, options));
  }
  if (values.noise !== undefined)
    throw new UserError('--noise is what --simulate adds; measurements have theirs', {
      hint: 'leave out --noise, or add --simulate if the inputs are clean images',
    });
  const plan = await planForMeasurements(inputs, values);
  return async (input) => checked(await readMeasurement(input, { values, plan, fixed }));
}

async function readReplay(folder: string): Promise<Replay> {
  const [x_T, noise] = await Promise.all([
    readNpy(path.join(folder, 'x_T.npy')),
    readNpy(path.join(folder, 'noise.npy')),
  ]);
  return { x_T, noise };
}

function noteModel(model: Model, facts: ModelFacts, report: Report): void {
  for (const warning of model.warnings) report.note(`note: ${warning}`);
  const { sha256 } = model.card;
  if (sha256 !== undefined && sha256 !== facts.sha256)
    report.note(`note: ${model.file}: not the file its card was written for (sha256 differs)`);
}

/** A restorer for each task, of which one is open at a time: each holds the network. */
function openRestorers(
  values: RestoreValues,
  model: Model,
  replay: Replay | undefined,
  report: Report,
): {
  of(task: Task): Promise<{ restorer: Restorer; settings: Settings }>;
  release(): Promise<void>;
} {
  const { steps, seed, device } = values;
  let current: { task: Task; restorer: Restorer; settings: Settings } | undefined;
  return {
    async of(task) {
      if (current?.task === task) return current;
      await current?.restorer.release();
      const settings = settingsFor(task, values, model.card);
      const restorer = openRestorer({
        model,
        ...settings,
        steps,
        seed,
        session: { device },
        ...(replay && { replay }),
        ...(values.fit === 'pad' && { margin: true }),
      });
      const inferred = model.inferred.length > 0 ? `; inferred ${model.inferred.join(', ')}` : '';
      report.note(
        `${path.basename(model.file)}: ${task}, ${showSettings(settings)}, ${steps} steps, ` +
          `seed ${seed}, ${providersFor(device)[0]}${inferred}`,
      );
      current = { task, restorer, settings };
      return current;
    },
    async release() {
      await current?.restorer.release();
    },
  };
}

/** What was chosen and what followed from it, for the record. */
function effective(task: Task, settings: Settings, values: RestoreValues): object {
  const { steps, seed, batch, device, fit, simulate, replay } = values;
  return {
    task,
    ...settings,
    steps,
    seed,
    simulate,
    batch,
    device: providersFor(device)[0],
    ...(fit && { fit }),
    ...(replay !== undefined && { replay }),
  };
}

function nextHint({ simulate, trace }: RestoreValues, folder: string): string {
  const compare = simulate ? 'compare with NAME.measurement.png; ' : '';
  const watch = trace === undefined ? '' : 'watch NAME.trace.webp; ';
  return `look into ${folder}: ${compare}${watch}NAME.json holds what is needed to repeat it`;
}
