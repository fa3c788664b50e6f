/** A small ε-network to start from: the UNet of guided-diffusion without its attention. */
import type { CardFile } from '../card/card.ts';
import { residualBlock, sinusoids, type ResidualNames } from '../checkpoint/blocks.ts';
import { batchOf } from '../checkpoint/imported.ts';
import { conv, doubled, groupNorm, linear, scoped, silu, type Net } from '../checkpoint/layers.ts';
import { UserError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { parseModel, type OnnxModel } from '../onnx/read.ts';
import { encodeGraph } from '../onnx/write.ts';
import { drawnWeights } from './initial.ts';

export interface NetworkOptions {
  readonly channels: number;
  /** Side of the images. */
  readonly size: number;
  /** Channels of the first level; those below have twice as many. */
  readonly width: number;
  /** Levels, each with half the side of the one above. */
  readonly levels: number;
  /** Residual blocks a level, each way. */
  readonly blocks: number;
  /** How many classes it is told apart by; the class after the last is the null token ∅. */
  readonly classes?: number | undefined;
}

const norm = { groups: 8, epsilon: 1e-5 };
const names: ResidualNames = {
  norm1: 'norm1',
  conv1: 'conv1',
  embedding: 'embedding',
  norm2: 'norm2',
  conv2: 'conv2',
  shortcut: 'shortcut',
};
/** Layers that start at zero, as in guided-diffusion. */
const startsAtZero = (module: string): boolean => module === 'out.conv' || module.endsWith('conv2');

/**
 * Inputs x `[batch,C,size,size]`, t `[batch]` and, with classes, y `[batch]`; output eps.
 * @throws UserError for a width that groups do not divide, or a size that the levels do not halve
 */
export function epsilonNetwork(options: NetworkOptions, seed: number): OnnxModel {
  const { channels, size, width, levels, classes } = options;
  if (width % norm.groups !== 0)
    throw new UserError(`width ${width}: expected a multiple of ${norm.groups}`);
  const factor = 2 ** (levels - 1);
  if (size % factor !== 0 || size < 2 * factor)
    throw new UserError(`${levels} levels: a side of ${size} is not a multiple of ${2 * factor}`, {
      hint: 'choose another --size, or fewer --levels',
    });
  const b = new GraphBuilder();
  const weights = drawnWeights(b, seed, {
    zero: startsAtZero,
    normal: (module) => module === 'class',
  });
  const net = { b, weights };
  const x = b.input('x', 'float32', [1, channels, size, size]);
  const t = b.input('t', 'float32', [1]);
  const y = classes === undefined ? undefined : b.input('y', 'int64', [1]);
  const embedding = embedded(net, options, t, y);
  b.output(unet(net, options, x, embedding), 'eps');
  const bytes = encodeGraph(b.graph, { open: batchOf(b.graph) });
  return parseModel(bytes, { folder: '.', where: 'the new network' });
}

/** What the card of such a network says of it. */
export function networkCard({ levels }: NetworkOptions): CardFile {
  return {
    prediction: 'epsilon',
    learnedVariance: false,
    clip: true,
    range: '[-1,1]',
    inputs: { x: 'x', timestep: 't' },
    output: 'eps',
    multiple: 2 ** (levels - 1),
  };
}

/** Of the noise level, and of the class where there are any, after its SiLU. */
function embedded(
  net: Net,
  { width, classes }: NetworkOptions,
  t: Value,
  y: Value | undefined,
): Value {
  const length = 4 * width;
  const sines = sinusoids(net, t, { width, cosineFirst: true, shift: 0 });
  const first = silu(net, 'time', linear(net, 'time.0', sines, length));
  let embedding = linear(net, 'time.2', first, length);
  if (classes !== undefined && y) {
    const table = net.weights.take('class.weight', [classes + 1, length]);
    embedding = scoped(net, 'class', () =>
      net.b.add(embedding, net.b.op('Gather', [table, y], { axis: 0 })),
    );
  }
  return silu(net, 'embedding', embedding);
}

function unet(
  net: Net,
  { channels, width, levels, blocks }: NetworkOptions,
  x: Value,
  embedding: Value,
): Value {
  const channelsAt = (level: number): number => (level === 0 ? width : 2 * width);
  const residual = (h: Value, module: string, outputs: number): Value =>
    residualBlock(net, h, embedding, { module, names, channels: outputs, norm, scaleShift: true });
  const skips: Value[] = [];
  let h = conv(net, 'stem', x, width);
  for (let level = 0; level < levels; level++) {
    if (level > 0) h = conv(net, `shrink.${level - 1}`, h, channelsAt(level - 1), { stride: 2 });
    for (let i = 0; i < blocks; i++) h = residual(h, `down.${level}.${i}`, channelsAt(level));
    skips.push(h);
  }
  h = residual(h, 'middle', channelsAt(levels - 1));
  for (let level = levels - 1; level >= 0; level--) {
    const below = h;
    h = scoped(net, `up.${level}`, () => net.b.op('Concat', [below, skips.pop()], { axis: 1 }));
    for (let i = 0; i < blocks; i++) h = residual(h, `up.${level}.${i}`, channelsAt(level));
    const grow = `grow.${level - 1}`;
    if (level > 0) h = conv(net, grow, doubled(net, grow, h), channelsAt(level - 1));
  }
  const active = silu(net, 'out', groupNorm(net, 'out.norm', h, norm));
  return conv(net, 'out.conv', active, channels);
}
