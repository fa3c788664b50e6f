/** Trains a model: reads data and network, takes steps, saves. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { CardFile } from '../card/card.ts';
import { UserError } from '../errors.ts';
import { removeLeftovers } from '../files/leftovers.ts';
import { refuseNoModel } from '../onnx/write.ts';
import { bandNames, bandsOf, runningMeans } from '../training/bands.ts';
import type { Dataset } from '../training/dataset.ts';
import { writeTrained } from '../training/result.ts';
import { readState, writeState, type Made, type Settings } from '../training/state.ts';
import { openTrainer, type Trainer } from '../training/trainer.ts';
import type { TrainValues } from './commands/train.ts';
import { makeWritable } from './destination.ts';
import { painter, type Io } from './io.ts';
import { showDuration } from './progress.ts';
import { refuseReplacedCard } from './replacing.ts';
import { openReport } from './report.ts';
import { openTrainingLog } from './training-log.ts';
import { openTrainingProgress } from './training-progress.ts';
import { usualTraining } from './training-defaults.ts';
import { networkFor, readDataset, type Start } from './training-start.ts';
import { version } from './version.ts';

/** @returns the exit code: 130 if it was interrupted, with everything saved */
export async function trainModel(data: string, given: TrainValues, io: Io): Promise<number> {
  const files = filesFor(given.output);
  await refuseReplacedCard(given.cardFile, given.output);
  if (!given.resume && existsSync(files.state))
    throw new UserError(`${files.state}: there is a checkpoint of an earlier run`, {
      hint: 'add --resume to go on from it, or delete it to begin anew',
    });
  const dataset = await readDataset(data, given, io.signal);
  const start = await networkFor(dataset, given);
  const { label, model, card } = start;
  const values = { ...given, pUncond: given.pUncond ?? usualTraining.pUncond };
  let settings = settingsOf(dataset, start, values);
  const trainer = await openTrainer({ ...values, model, card, dataset, label });
  try {
    if (existsSync(files.state)) {
      const read = await readState(files.state, trainer.layout, settings, [
        ...freeSettings,
        history,
      ]);
      const { state } = read;
      if (state.step > values.steps)
        throw new UserError(
          `${files.state}: ${state.step} steps are taken already, more than --steps ${values.steps}`,
        );
      trainer.restore(state);
      settings = { ...settings, [history]: historyOf(read, settings) };
    }
    const run = { trainer, dataset, start, settings, files, values };
    return await takeSteps(run, io);
  } finally {
    await trainer.release();
  }
}

/** The options, with what holds where they are silent. */
type RunValues = TrainValues & { readonly pUncond: number };

interface Run {
  readonly trainer: Trainer;
  readonly dataset: Dataset;
  readonly start: Start;
  readonly settings: Settings;
  readonly files: Files;
  readonly values: RunValues;
}

async function takeSteps(run: Run, io: Io): Promise<number> {
  const { trainer, dataset, start, files, values } = run;
  const { output, steps, every, quiet } = values;
  const folder = path.dirname(path.resolve(output));
  await makeWritable(folder);
  await removeLeftovers(folder);
  const T = start.card.schedule.timesteps;
  const names = bandNames(T);
  const began = trainer.state().step;
  const progress = openTrainingProgress(io, { steps, began, names, quiet });
  const report = openReport(io, { ...values, inputs: 1 }, () => progress.stop());
  for (const warning of start.warnings) report.note(`note: ${warning}`);
  report.note(describe(trainer, dataset, start));
  const { [history]: changes } = run.settings;
  if (began > 0)
    report.note(`resume: from step ${began} of ${steps}${changes ? ` (${changes})` : ''}`);
  const log = await openTrainingLog(files.log, names, began);
  const recent = runningMeans(1 + names.length);
  const save = async (): Promise<Saved> => {
    await log.flush();
    return saveRun(run);
  };

  const since = performance.now();
  try {
    while (trainer.state().step < steps) {
      const result = await trainer.step();
      const done = result.step + 1;
      const bands = bandsOf(result, T);
      recent.add([result.loss, ...bands]);
      log.add(result, bands);
      progress.step(done, recent.means());
      if (io.signal?.aborted) {
        await save();
        progress.stop();
        return sayInterrupted(done, steps, io);
      }
      if (done % every === 0 && done < steps) await save();
    }
  } catch (error) {
    // The losses up to a step that failed say how it came about; the error is what there is to tell.
    await log.flush().catch(() => undefined);
    throw error;
  } finally {
    progress.stop();
  }
  const { written, card } = await save();
  const [loss, ...byLevel] = recent.means();
  const seconds = (performance.now() - since) / 1000;
  report.result(output, {
    files: [...written, files.state, files.log],
    steps: trainer.state().step,
    parameters: trainer.layout.size,
    loss: loss ?? null,
    lossByTimestep: Object.fromEntries(names.map((name, i) => [name, byLevel[i] ?? null])),
    seconds: Number(seconds.toFixed(1)),
    card,
  });
  report.note(`${trainer.state().step - began} steps in ${showDuration(seconds)}`);
  report.next(`dsg inspect ${output} --check`);
  report.end();
  return 0;
}

interface Saved {
  readonly written: readonly string[];
  readonly card: CardFile;
}

/** The model first: what the checkpoint says is done is then there. */
async function saveRun({ trainer, dataset, start, settings, files, values }: Run): Promise<Saved> {
  const { layout } = trainer;
  const state = trainer.state();
  const card = trainedCard(start, dataset, values, {
    step: state.step,
    changes: settings[history],
  });
  const { average } = state.vectors;
  const written = await writeTrained(values.output, start.model, {
    layout,
    weights: average,
    card,
  });
  await writeState(files.state, state, layout, settings);
  return { written, card };
}

function sayInterrupted(step: number, steps: number, io: Io): number {
  const word = painter(io.stderr, io.env)('yellow', 'interrupted:');
  io.stderr.write(`${word} saved at step ${step} of ${steps}; --resume goes on\n`);
  return 130;
}

interface Files {
  readonly state: string;
  readonly log: string;
}

function filesFor(output: string): Files {
  refuseNoModel(output);
  const stem = output.slice(0, -'.onnx'.length);
  return { state: `${stem}.training.safetensors`, log: `${stem}.training.csv` };
}

/** Settings that may be changed when a run goes on: where it diverged, they are to blame. */
const freeSettings = ['rate', 'clip'] as const;
/** What they were before, as a setting of its own. */
const history = 'changes';

/** What was changed, and when, with what was changed earlier; null where nothing was. */
function historyOf({ state, settings: made }: Made, settings: Settings): string | null {
  const changed = freeSettings
    .filter((name) => made[name] !== settings[name])
    .map((name) => `${name} ${made[name]} before step ${state.step}`);
  return [...(made[history] ? [made[history]] : []), ...changed].join(', ') || null;
}

/** All that the weights follow from, beside the number of steps. */
function settingsOf(
  dataset: Dataset,
  { identity, card, label }: Start,
  values: RunValues,
): Settings {
  return {
    data: dataset.identity,
    network: identity,
    prediction: card.prediction,
    range: card.range,
    'learned variance': String(card.learnedVariance),
    schedule: card.schedule.name,
    timesteps: card.schedule.timesteps,
    'beta start': card.schedule.betaStart ?? null,
    'beta end': card.schedule.betaEnd ?? null,
    'timestep scale': card.timestepScale,
    'rescaled timesteps': String(card.rescaleTimesteps),
    input: card.inputs.x,
    'input of timesteps': card.inputs.timestep,
    output: card.output,
    conditioning: JSON.stringify(card.conditioning),
    'input of classes': label?.input ?? null,
    'null class': label?.null ?? null,
    batch: values.batch,
    rate: values.rate,
    ema: values.ema,
    'p-uncond': values.pUncond,
    clip: values.clip,
    'weight-decay': values.weightDecay,
    seed: values.seed,
    [history]: null,
  };
}

function describe(trainer: Trainer, dataset: Dataset, { label }: Start): string {
  const { size, entries } = trainer.layout;
  const kind = label ? 'class-conditional' : 'unconditional';
  const weights = `${size} parameters in ${entries.length} tensors`;
  return `${kind} network, ${weights}; ${dataset.description}, ${dataset.shape.slice(1).join('×')}`;
}

/** The card of the model after so many steps. */
function trainedCard(
  { card, origin }: Start,
  dataset: Dataset,
  values: RunValues,
  { step, changes }: { readonly step: number; readonly changes: Settings[string] | undefined },
): CardFile {
  const { output, batch, rate, ema, pUncond, seed } = values;
  const withheld = dataset.classes.length > 0 ? `, class withheld with probability ${pUncond}` : '';
  return {
    ...card,
    name: path.basename(output, '.onnx'),
    training:
      `dsg ${version}: ${step} steps of ${batch} images, ${dataset.description}; rate ${rate}` +
      `${changes ? ` (${changes})` : ''}, average ${ema}${withheld}, seed ${seed}${origin === undefined ? '' : `; from ${origin}`}`,
  };
}
