/** A network ready to be sampled with. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Card, CardFile } from '../card/card.ts';
import { completeCard } from '../card/complete.ts';
import { overrideCard, type CardOverrides } from '../card/override.ts';
import { readCard } from '../card/read.ts';
import { UserError } from '../errors.ts';
import { isFolder } from '../files/read.ts';
import type { Stamps } from '../files/stamp.ts';
import { modelOutput, type ModelInput } from '../onnx/dims.ts';
import { feedConstants } from '../onnx/feed.ts';
import type { Graph } from '../onnx/graph.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { seenShape, type Size } from './canvas.ts';
import { readStamped, readStampedPipeline, type ReadModel } from './content.ts';
import { readPipeline } from './latent/read.ts';
import { partsOf, type Parts } from './latent/folder.ts';
import { betas } from '../schedules/betas.ts';
import { unitRangeBetas } from '../schedules/unit-range.ts';
import { resolveGraph } from '../session/resolve.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** The prior that comes with the package. */
export const defaultModel = fileURLToPath(new URL('../../models/default.onnx', import.meta.url));

export interface Model {
  /** Of a latent pipeline, the folder. */
  readonly file: string;
  readonly onnx: OnnxModel;
  /** Of its files, as they were when it was read. */
  readonly stamps: Stamps;
  readonly card: Card;
  /** What was inferred because the card does not say it, a line each. */
  readonly inferred: readonly string[];
  readonly warnings: readonly string[];
  /** Of what the network takes: images, or latents. */
  readonly channels: number;
  /** The files of a latent pipeline; the card's `latent` says how latents become images. */
  readonly parts?: Parts;
  /** Side of the images that the network was trained on, where that is known, in pixels. */
  readonly usualSide?: number;
  /** Height and width of images where the file fixes them; undefined where it takes any. */
  readonly fixed: { readonly height: number; readonly width: number } | undefined;
  readonly timestep: ModelInput;
  /** The inputs that the card feeds. */
  readonly conditioned: readonly ModelInput[];
}

/**
 * Reads a model and its card; of a folder, a latent pipeline as diffusers and optimum export it.
 * @param overrides card fields that count more than the card's, by dotted name
 * @throws UserError for a file that is no ε-model, a damaged card, or a pipeline with a part missing
 */
export async function loadModel(file: string, overrides: CardOverrides = {}): Promise<Model> {
  if (isFolder(file)) return loadPipeline(file, overrides);
  const read = await readStamped(file);
  const { card, warnings } = await readCard(file, read.onnx);
  return modelOf(read, overrideCard(card, overrides), warnings);
}

async function loadPipeline(folder: string, overrides: CardOverrides): Promise<Model> {
  const pipeline = await readStampedPipeline(partsOf(folder), () => readPipeline(folder));
  const { parts, unet, stamps, channels, usualSide, scalingAssumed } = pipeline;
  const beside = await readCard(parts.unet, unet);
  const given = overrideCard({ ...pipeline.card, ...beside.card }, overrides);
  const { card, fixed, ...model } = modelOf({ onnx: unet, stamps }, given, [
    ...pipeline.warnings,
    ...beside.warnings,
  ]);
  const { factor, scaling } = card.latent ?? { factor: 1, scaling: 1 };
  const assumed = scalingAssumed && !beside.card.latent && !('latent.scaling' in overrides);
  return {
    ...model,
    file: folder,
    channels,
    parts,
    ...(usualSide !== undefined && { usualSide }),
    fixed: fixed && { height: fixed.height * factor, width: fixed.width * factor },
    card: { ...card, multiple: given.multiple ?? card.multiple * factor },
    warnings: [
      ...model.warnings,
      ...(assumed
        ? [
            `${folder}: vae_decoder/config.json with its scaling_factor is missing; ${scaling} is assumed, ` +
              'that of Stable Diffusion 1 and 2 (set another with --card latent.scaling=...)',
          ]
        : []),
    ],
  };
}

function modelOf({ onnx, stamps }: ReadModel, given: CardFile, warnings: readonly string[]): Model {
  const { where: file } = onnx;
  const inputs = modelInputs(onnx);
  const outputs = (onnx.proto.graph?.output ?? []).map((o) => modelOutput(o, file));
  const { card, inferred } = completeCard(given, {
    inputs,
    outputs,
    nodes: onnx.proto.graph?.node ?? [],
    where: file,
  });
  const x = named(inputs, card.inputs.x, file);
  const [, channels, height, width] = x.shape;
  return {
    file,
    onnx,
    stamps,
    card,
    inferred,
    warnings,
    channels: typeof channels === 'number' ? channels : 3,
    fixed: typeof height === 'number' && typeof width === 'number' ? { height, width } : undefined,
    timestep: named(inputs, card.inputs.timestep, file),
    conditioned: Object.keys(card.conditioning).map((name) => named(inputs, name, file)),
  };
}

/** β_t of the process that is sampled with, whose images lie in [-1,1] whatever the network's do. */
export function betasOf({ schedule, range }: Card): Float64Array {
  return range === '[0,1]' ? unitRangeBetas(betas(schedule)) : betas(schedule);
}

function named(inputs: readonly ModelInput[], name: string, file: string): ModelInput {
  const found = inputs.find((i) => i.name === name);
  if (!found)
    throw new UserError(
      `${file}: no input '${name}'; there are: ${inputs.map((i) => i.name).join(', ')}`,
    );
  return found;
}

/**
 * The model's graph for a batch of canvases, its conditioning made constant.
 * @param told what else is fed to it for each image, by input
 */
export async function graphFor(
  model: Model,
  batch: number,
  canvas: Size,
  told: Readonly<Record<string, Tensor>> = {},
): Promise<Graph> {
  const { card, timestep, conditioned } = model;
  // An open first axis is the batch; the name that it may have binds it wherever it occurs.
  const batched = [timestep, ...conditioned].filter(({ shape }) => typeof shape[0] === 'string');
  const dims = Object.fromEntries(
    batched.map(({ name, shape }) => [shape[0] || `${name}.0`, batch] as const),
  );
  const shapes: Record<string, number[]> = {
    [card.inputs.x]: [batch, ...seenShape(model, canvas)],
  };
  for (const [name, { shape }] of Object.entries(told)) shapes[name] = [batch, ...shape];
  const graph = await resolveGraph(model.onnx, { dims, shapes });
  return { ...feedConstants(graph, card.conditioning), name: path.basename(model.onnx.where) };
}
