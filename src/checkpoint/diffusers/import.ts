/** Imports diffusers' `UNet2DModel`. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { CardFile } from '../../card/card.ts';
import { UserError } from '../../errors.ts';
import { readJson } from '../../files/json.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { batchOf, type Imported } from '../imported.ts';
import type { Net } from '../layers.ts';
import type { StateDict } from '../state.ts';
import { weightsOf } from '../weights.ts';
import { parseConfig, type Config } from './config.ts';
import { unet2d } from './network.ts';
import { cardOfScheduler } from './scheduler.ts';

/** Names that every UNet2DModel has. */
export const anchors = ['conv_in.weight', 'time_embedding.linear_1.weight'] as const;

/** The full weights first, then those of the variant that is stored in half precision. */
const weightFiles = ['', '.fp16'].flatMap((variant) =>
  ['safetensors', 'bin'].map((ext) => `diffusion_pytorch_model${variant}.${ext}`),
);
const schedulerFile = 'scheduler_config.json';

/**
 * The weights of a diffusers folder: of a pipeline, or of its `unet`.
 * @throws UserError where there are none
 */
export function weightsIn(folder: string): string {
  const places = [folder, path.join(folder, 'unet')];
  const found = places
    .flatMap((place) => weightFiles.map((name) => path.join(place, name)))
    .find(existsSync);
  if (!found)
    throw new UserError(`${folder}: no ${weightFiles.join(', ')} in it or in its unet folder`, {
      hint: 'download the whole repository of the model, weights included',
    });
  return found;
}

export interface DiffusersOptions {
  /** `config.json`; the one beside the weights if left out. */
  readonly config?: string | undefined;
  readonly size?: number | undefined;
  readonly class?: number | undefined;
}

/**
 * The graph of a UNet2DModel: inputs `x` `[batch,C,H,W]`, `t` `[batch]` and for a class-conditional
 * network `y` `[batch]`; output `output`. Its card comes from the scheduler's config, where one lies
 * beside the weights or in a pipeline's `scheduler` folder.
 * @param file the weights'
 * @throws UserError for a config that is missing, cannot be built, or contradicts the weights; for a
 * network of latents
 */
export async function importDiffusers(
  state: StateDict,
  file: string,
  options: DiffusersOptions,
): Promise<Imported> {
  const folder = path.dirname(file);
  refuseLatents(folder);
  const configFile = options.config ?? path.join(folder, 'config.json');
  if (!existsSync(configFile))
    throw new UserError(
      `${file}: no config.json beside it: its names alone do not make a network`,
      {
        hint: 'download config.json too, or give its place with --config',
      },
    );
  const config = parseConfig(await readJson(configFile), configFile);
  const scheduler = await schedulerCard(folder);
  const b = new GraphBuilder();
  const weights = weightsOf(b, state, file);
  const { card, ...built } = buildUnet2d({ b, weights }, config, configFile, options);
  const { description, ...facts } = card;
  return {
    ...built,
    card: { description, ...scheduler.card, ...facts },
    inferred: scheduler.inferred,
  };
}

/** @throws UserError for the network of a pipeline that has an autoencoder beside it */
function refuseLatents(folder: string): void {
  const pipeline = path.dirname(path.resolve(folder));
  if (path.basename(path.resolve(folder)) !== 'unet') return;
  const autoencoder = ['vae', 'vqvae'].find((name) => existsSync(path.join(pipeline, name)));
  if (autoencoder === undefined) return;
  throw new UserError(
    `${folder}: a network of latents, not of images: there is a ${autoencoder} beside it`,
    { hint: 'export the whole pipeline to ONNX: see docs/latent.md' },
  );
}

/**
 * The network of a config, and what its card says of the network alone.
 * @param configFile what messages call the config
 * @throws UserError for a config that contradicts the weights or the options
 */
export function buildUnet2d(
  net: Net,
  config: Config,
  configFile: string,
  options: Pick<DiffusersOptions, 'size' | 'class'>,
): Pick<Imported, 'graph' | 'open' | 'card'> {
  const { b, weights } = net;
  const [height, width] = sizeOf(config, options.size, configFile);
  const x = b.input('x', 'float32', [1, config.in_channels, height, width]);
  const t = b.input('t', 'float32', [1]);
  const classes = config.num_class_embeds ?? 0;
  if (options.class !== undefined && options.class >= classes)
    throw new UserError(
      `${configFile}: class ${options.class}: the network has ${classes} classes`,
    );
  const fixed = options.class === undefined ? undefined : b.ints([options.class]);
  const y = fixed ?? (classes > 0 ? b.input('y', 'int64', [1]) : undefined);
  const out = unet2d(net, config, { x, t, y });
  b.output(out, 'output');
  weights.finish();
  return {
    graph: b.graph,
    open: batchOf(b.graph),
    card: {
      description: `diffusers UNet2DModel, ${width}×${height}`,
      learnedVariance: config.out_channels === 2 * config.in_channels,
      rescaleTimesteps: false,
      inputs: { x: 'x', timestep: 't' },
      output: 'output',
      multiple: 2 ** (config.block_out_channels.length - 1),
      ...(y && !fixed && { classes: { input: 'y', count: classes } }),
    },
  };
}

function sizeOf(config: Config, chosen: number | undefined, where: string): [number, number] {
  const given = chosen ?? config.sample_size;
  if (given === null || given === undefined)
    throw new UserError(`${where}: no sample_size`, {
      hint: 'give the size that the network was trained at: --image-size 256',
    });
  const size: [number, number] = typeof given === 'number' ? [given, given] : given;
  const multiple = 2 ** (config.block_out_channels.length - 1);
  if (size.some((n) => n % multiple !== 0))
    throw new UserError(`${where}: image size ${size.join('×')} is not a multiple of ${multiple}`);
  return size;
}

async function schedulerCard(folder: string): Promise<{ card: CardFile; inferred: string[] }> {
  const places = [folder, path.join(folder, 'scheduler'), path.join(folder, '..', 'scheduler')];
  const file = places.map((place) => path.join(place, schedulerFile)).find(existsSync);
  if (file) return { card: cardOfScheduler(await readJson(file), file), inferred: [] };
  return {
    card: cardOfScheduler({}, schedulerFile),
    inferred: [`prediction and schedule: the usual ones (no ${schedulerFile} beside the weights)`],
  };
}
