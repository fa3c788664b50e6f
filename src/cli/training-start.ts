/** What a training run starts from: images, and a network. */
import path from 'node:path';
import { stat } from 'node:fs/promises';
import { completeCard } from '../card/complete.ts';
import type { Card, CardFile } from '../card/card.ts';
import { overrideCard } from '../card/override.ts';
import { UserError } from '../errors.ts';
import { modelOutput } from '../onnx/dims.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { sameFile } from '../files/place.ts';
import { modelHash } from '../pipeline/content.ts';
import { loadModel } from '../pipeline/model.ts';
import type { Dataset } from '../training/dataset.ts';
import { folder, type LabelledFile } from '../training/folder.ts';
import { epsilonNetwork, networkCard } from '../training/network.ts';
import { shapes } from '../training/shapes.ts';
import type { LabelInput } from '../training/trainer.ts';
import type { TrainValues } from './commands/train.ts';
import { findImages } from './inputs.ts';
import { cardOverrides } from './model-card.ts';
import { usualTraining } from './training-defaults.ts';

/** The network that training begins with. */
export interface Start {
  readonly model: OnnxModel;
  readonly card: Card;
  readonly label: LabelInput | undefined;
  /** What tells it from others. */
  readonly identity: string;
  /** The model that its weights are from. */
  readonly origin: string | undefined;
  /** What its cards say that is not understood, or not of this file. */
  readonly warnings: readonly string[];
}

/** Kinds of shapes if no number is given. */
const usualKinds = 5;
const usualSize = 32;
/** Options of the form of a new network. */
const formOptions = ['width', 'levels', 'blocks'] as const;

/**
 * The images that `data` names: `shapes`, or a folder.
 * @throws UserError for a folder that cannot be read, or classes that it does not have
 */
export async function readDataset(
  data: string,
  values: TrainValues,
  signal: AbortSignal | undefined,
): Promise<Dataset> {
  const { classes, seed } = values;
  const size = await sizeFor(values);
  if (data === 'shapes') {
    const kinds = classes === undefined || classes === 'none' ? usualKinds : classes;
    const dataset = shapes({ size, classes: kinds, seed });
    return classes === 'none' ? { ...dataset, classes: [] } : dataset;
  }
  const found = await stat(data).catch(() => undefined);
  if (!found?.isDirectory())
    throw new UserError(`${data}: not a folder of images, and not the word shapes`);
  const labelled = labelsOf(data, await findImages([data]), classes);
  return folder(labelled, { size, fit: values.fit, mirror: values.mirror, seed, signal });
}

/** Images by the sub-folder that they lie in. */
function labelsOf(
  data: string,
  inputs: readonly { readonly file: string; readonly name: string }[],
  classes: TrainValues['classes'],
): LabelledFile[] {
  const labelled = inputs.map(({ file, name }) => {
    return { file, label: name.includes('/') ? (name.split('/')[0] as string) : '' };
  });
  if (classes === 'none') return labelled.map(({ file }) => ({ file, label: '' }));
  const labels = new Set(labelled.map((l) => l.label));
  const loose = labelled.find((l) => l.label === '');
  if (loose && labels.size > 1)
    throw new UserError(`${data}: has images both in sub-folders and beside them (${loose.file})`, {
      hint: 'put all in sub-folders, which are classes, or add --classes none',
    });
  if (classes !== undefined && classes !== labels.size)
    throw new UserError(`${data}: --classes ${classes}, but it has ${labels.size} sub-folders`, {
      hint: 'sub-folders are classes; leave --classes out, or give none',
    });
  return labelled;
}

async function sizeFor({ size, init, ...values }: TrainValues): Promise<number> {
  if (init === undefined) return size ?? usualSize;
  const { fixed } = await loadModel(init, (await cardOverrides(values)).overrides);
  if (!fixed) return size ?? usualSize;
  if (fixed.height !== fixed.width || (size !== undefined && size !== fixed.width))
    throw new UserError(
      `${init}: takes images of ${fixed.width}×${fixed.height}, to train on are squares of ${size ?? fixed.width}`,
    );
  return fixed.width;
}

/**
 * A new network for the images, or the one of `--init`.
 * @throws UserError for a network that does not suit them
 */
export async function networkFor(dataset: Dataset, values: TrainValues): Promise<Start> {
  const start =
    values.init === undefined
      ? await newNetwork(dataset, values)
      : await givenNetwork(values.init, dataset, values);
  if (values.pUncond !== undefined && !start.label)
    throw new UserError('--p-uncond withholds the class, and the network is told none', {
      hint: 'sort the images into sub-folders, which are classes, or leave out --p-uncond',
    });
  return start;
}

/** Fields of a card that are free to choose for a new network; the others say what it is. */
const freeFields = new Set([
  'description',
  'prediction',
  'clip',
  'range',
  'schedule',
  'rescaleTimesteps',
  'timestepScale',
  'presets',
  'license',
  'source',
]);

async function newNetwork(dataset: Dataset, values: TrainValues): Promise<Start> {
  const { overrides, warnings } = await cardOverrides(values);
  const fixed = Object.keys(overrides).filter((name) => !freeFields.has(name.split('.')[0] ?? ''));
  if (fixed.length > 0)
    throw new UserError(`card: a new network has its own ${fixed.join(', ')}`, {
      hint: `leave them out; to choose are ${[...freeFields].join(', ')}`,
    });
  const { width = usualTraining.width, levels = usualTraining.levels } = values;
  const { blocks = usualTraining.blocks, seed, schedule } = values;
  const [channels, size] = dataset.shape;
  const count = dataset.classes.length;
  const shape = { channels, size, width, levels, blocks, ...(count > 0 && { classes: count }) };
  const model = epsilonNetwork(shape, seed);
  const given: CardFile = {
    ...networkCard(shape),
    schedule: { name: 'linear', timesteps: 1000 },
    ...(count > 0 && { classes: { input: 'y', count, null: count, names: [...dataset.classes] } }),
  };
  const label = count > 0 ? { input: 'y', null: count } : undefined;
  return {
    model,
    card: complete(
      model,
      overrideCard(given, { ...overrides, ...(schedule && { 'schedule.name': schedule }) }),
    ),
    label,
    identity: JSON.stringify(shape),
    origin: undefined,
    warnings,
  };
}

async function givenNetwork(init: string, dataset: Dataset, values: TrainValues): Promise<Start> {
  if (await sameFile(init, values.output))
    throw new UserError(`${init}: the trained model would replace the one to start from`, {
      hint: 'choose another -o',
    });
  const idle = formOptions.filter((name) => values[name] !== undefined).map((name) => `--${name}`);
  if (idle.length > 0)
    throw new UserError(
      `${idle.join(', ')}: for new networks, and that of --init ${init} has its own form`,
      {
        hint: `leave out --init, or ${idle.join(', ')}`,
      },
    );
  const { overrides, warnings } = await cardOverrides(values);
  const model = await loadModel(init, overrides);
  const { onnx, card } = model;
  const digest = await modelHash(model);
  const known = card.classes;
  const count = dataset.classes.length;
  if (!known && typeof values.classes === 'number')
    throw new UserError(
      `${init}: the network is told no class, and there is --classes ${values.classes}`,
      {
        hint: 'leave it out, or give --classes none',
      },
    );
  if (known && known.count !== count)
    throw new UserError(`${init}: tells ${known.count} classes apart, the images have ${count}`);
  if (known && (values.pUncond ?? usualTraining.pUncond) > 0 && known.null === undefined)
    throw new UserError(`${init}: its card names no null token, which --p-uncond needs`, {
      hint: 'add --p-uncond 0, or --card classes.null=N',
    });
  const { schedule } = values;
  const { description: _, ...kept } = card;
  const changed = overrideCard(kept, schedule ? { 'schedule.name': schedule } : {});
  return {
    model: onnx,
    card: complete(onnx, {
      ...changed,
      ...(known && { classes: { ...known, names: [...dataset.classes] } }),
    }),
    label: known && { input: known.input, null: known.null ?? 0 },
    identity: digest,
    origin: `${path.basename(init)}, SHA-256 ${digest}`,
    warnings: [...warnings, ...model.warnings],
  };
}

function complete(model: OnnxModel, given: CardFile): Card {
  const outputs = (model.proto.graph?.output ?? []).map((o) => modelOutput(o, model.where));
  const nodes = model.proto.graph?.node ?? [];
  const signature = { inputs: modelInputs(model), outputs, nodes, where: model.where };
  return completeCard(given, signature).card;
}
