/** Reads a latent pipeline: its network, and what its configs make of the card. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { CardFile } from '../../card/card.ts';
import { cardOfLatentScheduler } from '../../checkpoint/diffusers/scheduler.ts';
import { showIssues, UserError } from '../../errors.ts';
import { readJson } from '../../files/json.ts';
import { readModel, type OnnxModel } from '../../onnx/read.ts';
import { modelInputs } from '../../onnx/skeleton.ts';
import { resolveGraph } from '../../session/resolve.ts';
import { showShape } from '../../tensor/tensor.ts';
import { partsOf, type Parts } from './folder.ts';

export interface LatentPipeline {
  readonly parts: Parts;
  readonly unet: OnnxModel;
  /** What the configs say; a card beside the network counts more. */
  readonly card: CardFile;
  /** Of a latent. */
  readonly channels: number;
  /** Sides of images that the network was trained on, in pixels, where its config says so. */
  readonly usualSide: number | undefined;
  /** Whether no config says what latents are scaled by. */
  readonly scalingAssumed: boolean;
  readonly warnings: readonly string[];
}

/** Stable Diffusion 1 and 2. */
const usualScaling = 0.18215;

const unetConfig = z.looseObject({
  in_channels: z.int().positive().optional(),
  sample_size: z.union([z.int().positive(), z.array(z.int().positive())]).nullish(),
});
const vaeConfig = z.looseObject({
  scaling_factor: z.number().positive().nullish(),
  latent_channels: z.int().positive().optional(),
  block_out_channels: z.array(z.int().positive()).optional(),
});

/** @throws UserError for a folder with a part missing, or parts that do not belong together */
export async function readPipeline(folder: string): Promise<LatentPipeline> {
  const parts = partsOf(folder);
  const scheduler = cardOfLatentScheduler(await readJson(parts.scheduler), parts.scheduler);
  const unet = await readModel(parts.unet);
  const inputs = modelInputs(unet);
  const told = inputs.find((i) => i.name === 'encoder_hidden_states');
  if (told) refuseMissingText(folder, parts);
  const about = await config(unetConfig, path.join(folder, 'unet'));
  const vae = await config(
    vaeConfig,
    path.join(folder, 'vae_decoder'),
    path.join(folder, 'vae_encoder'),
    path.join(folder, 'vae'),
  );
  const declared = inputs.find((i) => i.shape.length === 4)?.shape[1];
  const channels =
    about.in_channels ?? (typeof declared === 'number' ? declared : (vae.latent_channels ?? 4));
  const factor = await factorOf(parts.decoder, channels, vae.block_out_channels);
  const side = [about.sample_size ?? []].flat()[0];
  const scaling = vae.scaling_factor ?? usualScaling;
  return {
    parts,
    unet,
    card: {
      ...scheduler.card,
      range: '[-1,1]',
      learnedVariance: false,
      presets: 'latent',
      latent: { factor, scaling },
      ...(told && { text: { input: told.name } }),
    },
    channels,
    usualSide: side === undefined ? undefined : side * factor,
    scalingAssumed: typeof vae.scaling_factor !== 'number',
    warnings: scheduler.warnings,
  };
}

function refuseMissingText(folder: string, { textEncoder, tokenizer }: Parts): void {
  const missing = [textEncoder ? '' : 'text_encoder/model.onnx', tokenizer ? '' : 'tokenizer/']
    .filter(Boolean)
    .join(', ');
  if (missing)
    throw new UserError(`${folder}: its network is told prompts, and there is no ${missing}`, {
      hint: 'copy what is missing from where the pipeline comes from: see docs/latent.md',
    });
}

/**
 * By how much the decoder enlarges.
 * @throws UserError for a decoder of latents with other channels than the network's
 */
async function factorOf(
  decoder: string,
  channels: number,
  levels: readonly number[] | undefined,
): Promise<number> {
  const model = await readModel(decoder);
  const input = modelInputs(model)[0];
  const taken = input?.shape[1];
  if (typeof taken === 'number' && taken !== channels)
    throw new UserError(
      `${decoder}: decodes latents of ${taken} channels, and the network's have ${channels}`,
      {
        hint: 'networks that are told an image beside the latent, for inpainting, are not supported',
      },
    );
  if (levels) return 2 ** (levels.length - 1);
  const side = 8;
  const graph = await resolveGraph(model, {
    shapes: { [input?.name ?? '']: [1, channels, side, side] },
  });
  const [output] = graph.outputs;
  const [, , height = 0] = output?.shape ?? [];
  if (height % side !== 0 || height === 0)
    throw new UserError(
      `${decoder}: makes ${showShape(output?.shape ?? [])} of a latent of ${side}×${side}, no image of a multiple of that size`,
    );
  return height / side;
}

/** `config.json` of the first of the folders that has one. */
async function config<T extends z.ZodType>(schema: T, ...folders: string[]): Promise<z.infer<T>> {
  const file = folders.map((folder) => path.join(folder, 'config.json')).find(existsSync);
  const parsed = schema.safeParse(file === undefined ? {} : await readJson(file));
  if (parsed.success) return parsed.data;
  throw new UserError(`${file}: ${showIssues(parsed.error, 'config')}`);
}
