/** Builds guided-diffusion networks: `UNetModel`, `SuperResModel` and `EncoderUNetModel`. */
import type { Value } from '../../onnx/graph.ts';
import { residualBlock, sinusoids, type ResidualNames } from '../blocks.ts';
import {
  attend,
  conv,
  doubled,
  groupNorm,
  halved,
  linear,
  placesOf,
  pointwise,
  reshapeRest,
  scoped,
  silu,
  type Heads,
  type Net,
} from '../layers.ts';
import { headsAt, type Settings } from './published.ts';
import { normalizationGroups, type Level, type Structure } from './structure.ts';

const norm = { groups: normalizationGroups, epsilon: 1e-5 };
const names: ResidualNames = {
  norm1: 'in_layers.0',
  conv1: 'in_layers.2',
  embedding: 'emb_layers.1',
  norm2: 'out_layers.0',
  conv2: 'out_layers.3',
  shortcut: 'skip_connection',
};

/** A network and all that its blocks are told. */
export interface Adm extends Net {
  readonly structure: Structure;
  readonly settings: Settings;
}

export interface Inputs {
  /** `[N,C,H,W]`, what an upsampler is given beside the noisy image included. */
  readonly x: Value;
  /** `[N]` */
  readonly t: Value;
  /** Class numbers `[N]` of a class-conditional network. */
  readonly y?: Value | undefined;
}

/** The whole UNet: `[N,outputs,H,W]`. */
export function unet(net: Adm, inputs: Inputs): Value {
  const { levels, blocks, outputs } = net.structure;
  const embedding = embedded(net, inputs);
  const skips = encoder(net, inputs.x, embedding);
  let h = middle(net, skips.at(-1) as Value, embedding);
  let index = 0;
  for (const level of [...levels.keys()].reverse()) {
    for (let i = 0; i <= blocks; i++) {
      const module = `output_blocks.${index++}`;
      h = scoped(net, module, () => net.b.op('Concat', [h, skips.pop()], { axis: 1 }));
      h = levelBlock(net, h, embedding, module, levels[level] as Level);
      if (level > 0 && i === blocks) {
        const last = `${module}.${(levels[level] as Level).attention ? 2 : 1}`;
        h = resample(net, h, embedding, last, 'up');
      }
    }
  }
  return conv(net, 'out.2', silu(net, 'out.0', groupNorm(net, 'out.0', h, norm)), outputs);
}

/** The classifier of noisy images: logits `[N,outputs]`. */
export function classifier(net: Adm, inputs: Inputs): Value {
  const { structure } = net;
  const embedding = embedded(net, inputs);
  const last = encoder(net, inputs.x, embedding).at(-1) as Value;
  const h = middle(net, last, embedding);
  const active = silu(net, 'out.0', groupNorm(net, 'out.0', h, norm));
  if (structure.poolSide !== undefined) return attentionPool(net, active);
  const mean = scoped(net, 'out.2', () => net.b.op('GlobalAveragePool', [active]));
  return reshapeRest(net, conv(net, 'out.3', mean, structure.outputs, { kernel: 1 }), [
    structure.outputs,
  ]);
}

/** What residual blocks are told of the noise level and the class, after its SiLU. */
function embedded(net: Adm, { t, y }: Inputs): Value {
  const { width, classes } = net.structure;
  const sines = sinusoids(net, t, { width, cosineFirst: true, shift: 0 });
  const first = silu(net, 'time_embed.0', linear(net, 'time_embed.0', sines, 4 * width));
  let embedding = linear(net, 'time_embed.2', first, 4 * width);
  if (classes !== undefined && y) {
    const table = net.weights.take('label_emb.weight', [classes, 4 * width]);
    embedding = scoped(net, 'label_emb', () =>
      net.b.add(embedding, net.b.op('Gather', [table, y], { axis: 0 })),
    );
  }
  return silu(net, 'time_embed', embedding);
}

/** What every input block puts out. */
function encoder(net: Adm, x: Value, embedding: Value): Value[] {
  const { levels, blocks } = net.structure;
  const outs = [conv(net, 'input_blocks.0.0', x, (levels[0] as Level).channels)];
  const append = (make: (h: Value, module: string) => Value): void => {
    outs.push(make(outs.at(-1) as Value, `input_blocks.${outs.length}`));
  };
  levels.forEach((level, i) => {
    for (let block = 0; block < blocks; block++)
      append((h, module) => levelBlock(net, h, embedding, module, level));
    if (i < levels.length - 1)
      append((h, module) => resample(net, h, embedding, `${module}.0`, 'down'));
  });
  return outs;
}

function middle(net: Adm, x: Value, embedding: Value): Value {
  const channels = x.shape[1] as number;
  const residual = (h: Value, module: string): Value =>
    residualBlock(net, h, embedding, { ...shared(net), module, channels });
  const h = attention(net, residual(x, 'middle_block.0'), 'middle_block.1');
  return residual(h, 'middle_block.2');
}

const shared = ({ structure }: Adm) => ({ names, norm, scaleShift: structure.scaleShift });

/** A residual block of a level, and its attention where the level has it. */
function levelBlock(
  net: Adm,
  x: Value,
  embedding: Value,
  module: string,
  { channels, attention: attends }: Level,
): Value {
  const h = residualBlock(net, x, embedding, { ...shared(net), module: `${module}.0`, channels });
  return attends ? attention(net, h, `${module}.1`) : h;
}

function resample(
  net: Adm,
  x: Value,
  embedding: Value,
  module: string,
  direction: 'up' | 'down',
): Value {
  const channels = x.shape[1] as number;
  const { resampling } = net.structure;
  if (resampling === 'residual')
    return residualBlock(net, x, embedding, {
      ...shared(net),
      module,
      channels,
      resample: direction,
    });
  if (resampling === 'plain')
    return direction === 'up' ? doubled(net, module, x) : halved(net, module, x);
  return direction === 'up'
    ? conv(net, `${module}.conv`, doubled(net, module, x), channels)
    : conv(net, `${module}.op`, x, channels, { stride: 2 });
}

/** Self-attention over all places, added to its input. */
function attention(net: Adm, x: Value, module: string): Value {
  const [, channels = 1, ...sides] = x.shape;
  const normal = groupNorm(net, `${module}.norm`, x, norm);
  const stored = [3 * channels, channels, 1];
  const qkv = pointwise(net, `${module}.qkv`, normal, 3 * channels, stored);
  const heads = headsAt(net.settings.heads, channels);
  const parts = scoped(net, module, () => cut(net, qkv, heads, placesOf(x), net.settings.order));
  const mixed = reshapeRest(net, attend(net, module, parts), [channels, ...sides]);
  const projected = pointwise(net, `${module}.proj_out`, mixed, channels, [channels, channels, 1]);
  return scoped(net, module, () => net.b.add(x, projected));
}

/** q, k and v of each head, from `[N,3C,...]`. */
function cut(net: Net, qkv: Value, heads: number, places: number, order: Settings['order']): Heads {
  const width = (qkv.shape[1] as number) / 3 / heads;
  const [rows, sizes, axis] =
    order === 'legacy'
      ? [[heads, 3 * width], [width, width, width], 2]
      : [[3 * heads, width], [heads, heads, heads], 1];
  const whole = reshapeRest(net, qkv, [...rows, places]);
  const [q, k, v] = net.b.split(whole, sizes, axis) as [Value, Value, Value];
  return { q, k, v };
}

/**
 * CLIP's attention pool. Only what the mean attends to is put out, so that one query is made of
 * many; q, k and v are cut in the new order here whatever the blocks do.
 */
function attentionPool(net: Adm, x: Value): Value {
  const { b, weights, structure, settings } = net;
  const module = 'out.2';
  const channels = x.shape[1] as number;
  const places = placesOf(x) + 1;
  const tokens = scoped(net, module, () => {
    const flat = reshapeRest(net, x, [channels, -1]);
    const all = b.op('Concat', [b.reduce('Mean', flat, [2]), flat], { axis: 2 });
    const position = weights.take(
      `${module}.positional_embedding`,
      [channels, places],
      [1, channels, places],
    );
    return b.add(all, position);
  });
  const qkv = conv(net, `${module}.qkv_proj`, tokens, 3 * channels, { kernel: 1 });
  const parts = scoped(net, module, () => {
    const { q, k, v } = cut(net, qkv, headsAt(settings.heads, channels), places, 'new');
    return { q: b.op('Slice', [q, b.ints([0]), b.ints([1]), b.ints([3])]), k, v };
  });
  const mixed = attend(net, module, parts);
  const logits = conv(net, `${module}.c_proj`, mixed, structure.outputs, { kernel: 1 });
  return scoped(net, module, () => reshapeRest(net, logits, [structure.outputs]));
}
