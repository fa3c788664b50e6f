/** What a restoration starts from, with all that can be wrong about the options found first. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { isFile } from '../files/read.ts';
import { imageShape } from '../operators/operator.ts';
import { canvasFor, imageChannels } from '../pipeline/canvas.ts';
import { defaultModel, loadModel, type Model } from '../pipeline/model.ts';
import type { Replay } from '../pipeline/replay.ts';
import { tilingFor, type Tiling } from '../pipeline/windows.ts';
import { readNpy } from '../tensor/npy.ts';
import type { RestoreValues } from './commands/restore.ts';
import { planOf, sigmaOf, type Plan } from './degradation.ts';
import { planForMeasurements, readMeasurement, simulate, type Example } from './examples.ts';
import type { Input } from './inputs.ts';
import { cardOverrides } from './model-card.ts';
import type { Report } from './report.ts';
import type { ModelFacts } from './sidecar.ts';

/** The model that the options name, with what they say of it. */
export async function openModel(
  values: Pick<RestoreValues, 'model' | 'card' | 'cardFile'>,
): Promise<Model> {
  const { overrides, warnings } = await cardOverrides(values);
  const model = await loadModel(values.model ?? defaultModel, overrides);
  return { ...model, warnings: [...model.warnings, ...warnings] };
}

/** @throws UserError for a model of images with another number of channels than these */
export function refuseChannels(model: Model, allowed: readonly number[]): void {
  const channels = imageChannels(model);
  if (allowed.includes(channels)) return;
  throw new UserError(
    `${model.file}: takes images of ${channels} channels, colour images have 3`,
    allowed.length > 1 ? { hint: 'with --format npy, and without --trace or --grid, any do' } : {},
  );
}

/** Says what is amiss with a model. */
export function noteModel(model: Model, facts: ModelFacts, report: Report): void {
  for (const warning of [...model.warnings, ...anotherFile(model, facts)])
    report.note(`note: ${warning}`);
}

/** A line if the card was written for another file. */
export function anotherFile({ card, file }: Model, { sha256 }: ModelFacts): string[] {
  if (card.sha256 === undefined || card.sha256 === sha256) return [];
  return [`${file}: not the file its card was written for (sha256 differs)`];
}

/** The windows that the options ask for. */
export function tilingOf(values: RestoreValues, model: Model): Tiling | undefined {
  const { tile, tileOverlap: overlap } = values;
  if (tile !== undefined)
    return tilingFor(model, { size: tile === 'auto' ? undefined : tile, overlap });
  if (overlap === undefined) return undefined;
  throw new UserError('--tile-overlap is that of windows, and there are none', {
    hint: 'add --tile auto, or leave out --tile-overlap',
  });
}

export interface Reader {
  /** What the options say; undefined where the record of every input says it all. */
  readonly plan: Plan | undefined;
  /** On the files that it was read from. */
  readonly notes: readonly string[];
  /** @throws UserError for an input that cannot be read or does not suit */
  read(input: Input): Promise<Example>;
}

/**
 * How an input becomes an example.
 * @throws UserError if the options do not suffice, or do not go together
 */
export async function openReader(
  inputs: readonly Input[],
  values: RestoreValues,
  model: Model,
): Promise<Reader> {
  const { fit, seed } = values;
  const tiling = tilingOf(values, model);
  const fixed = tiling ? undefined : model.fixed;
  const checked = (example: Example): Example => {
    const { operator, measurement } = example;
    const [, height, width] = operator.restored(imageShape(measurement));
    canvasFor(model, { height, width }, { margin: fit === 'pad', tiling });
    return example;
  };
  if (values.simulate) {
    const { plan, notes } = await planOf(values);
    const options = { plan, sigma: sigmaOf(values), seed, fit, fixed };
    return { plan, notes, read: async (input) => checked(await simulate(input, options)) };
  }
  const { plan, notes = [] } = (await planForMeasurements(inputs, values)) ?? {};
  const options = { values, plan, fixed };
  return { plan, notes, read: async (input) => checked(await readMeasurement(input, options)) };
}

/** Pictures and arrays that options name; results are never called like any other file. */
export function filesRead({
  mask,
  kernel,
  target = [],
  replay,
}: Partial<Pick<RestoreValues, 'mask' | 'kernel' | 'target' | 'replay'>>): string[] {
  const noise = replay === undefined ? [] : Object.values(replayPaths(replay));
  const named = [mask, kernel, ...target, ...noise].filter((file) => file !== undefined);
  return named.filter(isFile);
}

function replayPaths(folder: string): { start: string; noise: string } {
  return { start: path.join(folder, 'x_T.npy'), noise: path.join(folder, 'noise.npy') };
}

/** @throws UserError if a file of the folder is missing or damaged, or there is more than one to make */
export async function readReplay(
  folder: string,
  [option, count]: readonly [option: '--samples' | '--count', count: number],
): Promise<Replay> {
  if (count > 1)
    throw new UserError(`--replay has the noise of one sample, and ${option} is ${count}`, {
      hint: 'leave out one of them',
    });
  const { start, noise } = replayPaths(folder);
  return {
    x_T: await readNpy(start),
    ...(existsSync(noise) && { noise: await readNpy(noise) }),
  };
}
