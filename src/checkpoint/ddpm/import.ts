/**
 * Imports the networks of DDPM (Ho et al. 2020) in PyTorch's port, which DDIM, SDEdit, DDRM and others
 * share. It is a UNet2DModel whose modules have other names, and whose config is read from the shapes of
 * its weights.
 */
import { UserError } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { parseConfig, type Config } from '../diffusers/config.ts';
import { buildUnet2d } from '../diffusers/import.ts';
import type { Imported } from '../imported.ts';
import type { StateDict } from '../state.ts';
import { weightsOf, type Weights } from '../weights.ts';

/** Names that every network of the family has. */
export const anchors = ['conv_in.weight', 'temb.dense.0.weight'] as const;

/** Throughout the published configurations, images of this side are attended to. */
const attended = 16;

/**
 * The graph of a network: inputs `x` `[batch,C,H,W]` and `t` `[batch]`, output `output`.
 * @throws UserError for weights that are not those of such a network
 */
export function importDdpm(
  state: StateDict,
  file: string,
  options: { readonly size?: number | undefined; readonly class?: number | undefined },
): Imported {
  const config = configOf(state, file);
  const b = new GraphBuilder();
  const called = namer(config.block_out_channels.length);
  const weights = renamed(weightsOf(b, state, file), called);
  const { card, ...built } = buildUnet2d({ b, weights, called }, config, file, options);
  const [, , height, width] = built.graph.inputs[0]?.shape ?? [];
  return {
    ...built,
    card: {
      ...card,
      description: `DDPM ε-model, ${width}×${height}`,
      prediction: 'epsilon',
      clip: true,
      schedule: { name: 'linear', timesteps: 1000 },
    },
    inferred: [
      ...(options.size === undefined
        ? [`image size: ${width} (as published, attention is at ${attended}×${attended})`]
        : []),
      'schedule: linear, 1000 steps (as published for DDPM)',
    ],
  };
}

/** Beyond so many levels or layers it is damage, not design. */
const most = 64;

/** Groups and epsilon are those of all such networks; the rest is in names and shapes. */
function configOf(state: StateDict, file: string): Config {
  const has = (start: string): boolean => [...state.keys()].some((name) => name.startsWith(start));
  const count = (at: (i: number) => string): number => {
    let n = 0;
    while (n < most && has(at(n))) n++;
    return n;
  };
  const levels = count((i) => `down.${i}.`);
  const layers = count((j) => `down.0.block.${j}.`);
  const channels = Array.from({ length: levels }, (_, i) => {
    const found = state.get(`down.${i}.block.0.conv1.weight`)?.shape[0];
    if (found === undefined)
      throw new UserError(`${file}: missing: down.${i}.block.0.conv1.weight`, {
        hint: 'the checkpoint is incomplete',
      });
    return found;
  });
  if (levels === 0 || layers === 0)
    throw new UserError(`${file}: missing: down.0.block.0`, {
      hint: 'the checkpoint is incomplete',
    });
  const attends = channels.map((_, i) => has(`down.${i}.attn.`));
  const first = attends.indexOf(true);
  return parseConfig(
    {
      in_channels: state.get(anchors[0])?.shape[1],
      out_channels: state.get('conv_out.weight')?.shape[0],
      sample_size: first < 0 ? null : attended * 2 ** first,
      block_out_channels: channels,
      layers_per_block: layers,
      down_block_types: attends.map((a) => (a ? 'AttnDownBlock2D' : 'DownBlock2D')),
      up_block_types: attends.toReversed().map((a) => (a ? 'AttnUpBlock2D' : 'UpBlock2D')),
      attention_head_dim: null,
      downsample_padding: 0,
      flip_sin_to_cos: false,
      freq_shift: 1,
      norm_eps: 1e-6,
    },
    file,
  );
}

const names: readonly (readonly [RegExp, string])[] = [
  [/^time_embedding\.linear_1\b/, 'temb.dense.0'],
  [/^time_embedding\.linear_2\b/, 'temb.dense.1'],
  [/^time_embedding\b/, 'temb'],
  [/^conv_norm_out\b/, 'norm_out'],
  [/^mid_block\.resnets\.0\b/, 'mid.block_1'],
  [/^mid_block\.resnets\.1\b/, 'mid.block_2'],
  [/^mid_block\.attentions\.0\b/, 'mid.attn_1'],
  [/^down_blocks\b/, 'down'],
  [/\.resnets\b/, '.block'],
  [/\.attentions\b/, '.attn'],
  [/\.downsamplers\.0\b/, '.downsample'],
  [/\.upsamplers\.0\b/, '.upsample'],
  [/\.time_emb_proj\b/, '.temb_proj'],
  [/\.conv_shortcut\b/, '.nin_shortcut'],
  [/\.group_norm\b/, '.norm'],
  [/\.to_([qkv])\b/, '.$1'],
  [/\.to_out\.0\b/, '.proj_out'],
];

/** From what diffusers calls a module or weight to what this family calls it. */
function namer(levels: number): (name: string) => string {
  // Its way up is numbered by level, theirs in the order of computation.
  const upwards = (name: string): string =>
    name.replace(/^up_blocks\.(\d+)/, (_, i: string) => `up.${levels - 1 - Number(i)}`);
  return (name) => names.reduce((n, [theirs, own]) => n.replace(theirs, own), upwards(name));
}

/** Its attention is of 1×1 convolutions, theirs of linear layers. */
function renamed(weights: Weights, called: (name: string) => string): Weights {
  const isProjection = (name: string): boolean => /\.to_(q|k|v|out\.0)\.weight$/.test(name);
  return {
    has: (name) => weights.has(called(name)),
    take: (name, shape, as = shape) =>
      weights.take(called(name), isProjection(name) ? [...shape, 1, 1] : shape, as),
    finish: () => weights.finish(),
  };
}
