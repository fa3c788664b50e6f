/** Builds diffusers' `UNet2DModel`. */
import type { Value } from '../../onnx/graph.ts';
import { residualBlock, sinusoids, type ResidualNames } from '../blocks.ts';
import {
  attend,
  conv,
  doubled,
  groupNorm,
  linear,
  placesOf,
  pointwise,
  reshapeRest,
  scoped,
  silu,
  type Net,
  type Norm,
} from '../layers.ts';
import type { Config } from './config.ts';

const names: ResidualNames = {
  norm1: 'norm1',
  conv1: 'conv1',
  embedding: 'time_emb_proj',
  norm2: 'norm2',
  conv2: 'conv2',
  shortcut: 'conv_shortcut',
};

/** A network and all that its blocks are told. */
export interface Diffusers extends Net {
  readonly config: Config;
  /** What residual blocks are told of the noise level, after its SiLU. */
  readonly embedding: Value;
}

export interface Inputs {
  /** `[N,C,H,W]` */
  readonly x: Value;
  /** `[N]` */
  readonly t: Value;
  /** Class numbers `[N]` of a class-conditional network. */
  readonly y?: Value | undefined;
}

/** `[N,out_channels,H,W]`. */
export function unet2d(base: Net, config: Config, { x, t, y }: Inputs): Value {
  const { b } = base;
  const net: Diffusers = { ...base, config, embedding: embedded(base, config, t, y) };
  const widths = config.block_out_channels;
  const centred = config.center_input_sample
    ? scoped(net, 'center', () => b.sub(b.scale(x, 2), b.scalar(1, x)))
    : x;
  let h = conv(net, 'conv_in', centred, widths[0] as number);
  const skips = [h];
  config.down_block_types.forEach((type, i) => {
    const module = `down_blocks.${i}`;
    for (let layer = 0; layer < config.layers_per_block; layer++) {
      h = layerOf(net, h, module, layer, type, widths[i] as number);
      skips.push(h);
    }
    if (i === widths.length - 1) return;
    h = resample(net, h, module, type, 'down');
    skips.push(h);
  });
  if (config.mid_block_type) h = middle(net, h);
  config.up_block_types.forEach((type, i) => {
    const module = `up_blocks.${i}`;
    for (let layer = 0; layer <= config.layers_per_block; layer++) {
      const joined = scoped(net, module, () => b.op('Concat', [h, skips.pop()], { axis: 1 }));
      h = layerOf(net, joined, module, layer, type, widths.at(-1 - i) as number);
    }
    if (i < widths.length - 1) h = resample(net, h, module, type, 'up');
  });
  const last = groupNorm(net, 'conv_norm_out', h, normOf(config));
  return conv(net, 'conv_out', silu(net, 'conv_act', last), config.out_channels);
}

const normOf = (c: Config): Norm => ({ groups: c.norm_num_groups, epsilon: c.norm_eps });

function embedded(net: Net, c: Config, t: Value, y: Value | undefined): Value {
  const [width = 0] = c.block_out_channels;
  const size = c.time_embedding_dim ?? 4 * width;
  const sines = sinusoids(net, t, {
    width,
    cosineFirst: c.flip_sin_to_cos,
    shift: c.freq_shift,
  });
  const module = 'time_embedding';
  const first = linear(net, `${module}.linear_1`, sines, size);
  let embedding = linear(net, `${module}.linear_2`, silu(net, module, first), size);
  if (y && c.num_class_embeds) {
    const table = net.weights.take('class_embedding.weight', [c.num_class_embeds, size]);
    embedding = scoped(net, 'class_embedding', () =>
      net.b.add(embedding, net.b.op('Gather', [table, y], { axis: 0 })),
    );
  }
  return silu(net, module, embedding);
}

function residual(
  net: Diffusers,
  x: Value,
  module: string,
  channels: number,
  extra: { resample?: 'up' | 'down'; outputScale?: number } = {},
): Value {
  const { config, embedding } = net;
  const scaleShift = config.resnet_time_scale_shift === 'scale_shift';
  const norm = normOf(config);
  return residualBlock(net, x, embedding, { module, names, channels, norm, scaleShift, ...extra });
}

/** A residual block of a level, and its attention where the block type has it. */
function layerOf(
  net: Diffusers,
  x: Value,
  module: string,
  layer: number,
  type: string,
  channels: number,
): Value {
  const h = residual(net, x, `${module}.resnets.${layer}`, channels);
  if (!type.startsWith('Attn')) return h;
  return attention(net, h, `${module}.attentions.${layer}`, normOf(net.config));
}

/** Attention blocks follow the config's type of resampling; the others have their own. */
function resample(
  net: Diffusers,
  x: Value,
  module: string,
  type: string,
  direction: 'up' | 'down',
): Value {
  const { config } = net;
  const channels = x.shape[1] as number;
  const [named, part] =
    direction === 'up'
      ? [config.upsample_type, `${module}.upsamplers.0`]
      : [config.downsample_type, `${module}.downsamplers.0`];
  if (type.startsWith('Resnet') || (type.startsWith('Attn') && named === 'resnet'))
    return residual(net, x, part, channels, { resample: direction });
  if (direction === 'up') return conv(net, `${part}.conv`, doubled(net, part, x), channels);
  const pads = config.downsample_padding === 0 ? [0, 0, 1, 1] : [1, 1, 1, 1];
  return conv(net, `${part}.conv`, x, channels, { stride: 2, pads });
}

function middle(net: Diffusers, x: Value): Value {
  const { config } = net;
  const channels = x.shape[1] as number;
  const outputScale = config.mid_block_scale_factor;
  let h = residual(net, x, 'mid_block.resnets.0', channels, { outputScale });
  if (config.add_attention) {
    // With a scale and shift by the noise level, attention goes unnormalized unless told otherwise.
    const groups =
      config.attn_norm_num_groups ??
      (config.resnet_time_scale_shift === 'default' ? config.norm_num_groups : undefined);
    const norm = groups === undefined ? undefined : { groups, epsilon: config.norm_eps };
    h = attention(net, h, 'mid_block.attentions.0', norm, outputScale);
  }
  return residual(net, h, 'mid_block.resnets.1', channels, { outputScale });
}

/** Names of the projections, and before diffusers 0.15. */
const projections = {
  to_q: 'query',
  to_k: 'key',
  to_v: 'value',
  'to_out.0': 'proj_attn',
} as const;

/** Self-attention over all places, added to its input. */
function attention(
  net: Diffusers,
  x: Value,
  module: string,
  norm: Norm | undefined,
  outputScale = 1,
): Value {
  const [, channels = 1, ...sides] = x.shape;
  const width = net.config.attention_head_dim ?? channels;
  const project = (v: Value, name: keyof typeof projections): Value => {
    const older = `${module}.${projections[name]}`;
    const part = net.weights.has(`${older}.weight`) ? older : `${module}.${name}`;
    return pointwise(net, part, v, channels, [channels, channels]);
  };
  const cut = (v: Value): Value =>
    scoped(net, module, () => reshapeRest(net, v, [channels / width, width, placesOf(x)]));
  const normal = norm ? groupNorm(net, `${module}.group_norm`, x, norm) : x;
  const [q, k, v] = (['to_q', 'to_k', 'to_v'] as const).map((name) =>
    cut(project(normal, name)),
  ) as [Value, Value, Value];
  const mixed = attend(net, module, { q, k, v });
  const image = scoped(net, module, () => reshapeRest(net, mixed, [channels, ...sides]));
  const projected = project(image, 'to_out.0');
  return scoped(net, module, () => net.b.scale(net.b.add(x, projected), 1 / outputScale));
}
