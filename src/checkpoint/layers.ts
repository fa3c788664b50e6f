/**
 * The layers that ε-networks are made of, in operators whose gradients are cheap. Shapes are those
 * of a batch of one; reshapes name every axis but the batch's, so that any batch can be run.
 */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { sizeOf } from '../tensor/tensor.ts';
import type { Weights } from './weights.ts';

/** A graph under construction and the weights that go into it. */
export interface Net {
  readonly b: GraphBuilder;
  readonly weights: Weights;
  /** What the checkpoint calls a module, where that is not what the network's code calls it. */
  readonly called?: ((module: string) => string) | undefined;
}

/** Nodes are named after the module that they come from. */
export function scoped<T>({ b, called }: Net, module: string, make: () => T): T {
  const outer = b.scope;
  b.scope = `/${called?.(module) ?? module}`;
  try {
    return make();
  } finally {
    b.scope = outer;
  }
}

const channelsOf = (x: Value): number => x.shape[1] as number;

/** Reshape of all axes but the first; at most one may be -1. */
export function reshapeRest({ b }: Net, x: Value, rest: readonly number[]): Value {
  return b.op('Reshape', [x, b.ints([0, ...rest])]);
}

/** A convolution; `pads` are the two begins, then the two ends, half the kernel if left out. */
export function conv(
  net: Net,
  module: string,
  x: Value,
  outputs: number,
  { kernel = 3, stride = 1, pads }: { kernel?: number; stride?: number; pads?: number[] } = {},
): Value {
  const { b, weights } = net;
  const axes = x.shape.slice(2);
  const weight = weights.take(`${module}.weight`, [
    outputs,
    channelsOf(x),
    ...axes.map(() => kernel),
  ]);
  const bias = weights.take(`${module}.bias`, [outputs]);
  const half = (kernel - 1) / 2;
  return scoped(net, module, () =>
    b.op('Conv', [x, weight, bias], {
      kernel_shape: axes.map(() => kernel),
      strides: axes.map(() => stride),
      pads: pads ?? [...axes, ...axes].map(() => half),
    }),
  );
}

/** A linear map of the channels at every place: the weight is that of a linear or 1-D layer. */
export function pointwise(
  net: Net,
  module: string,
  x: Value,
  outputs: number,
  stored: readonly number[],
): Value {
  const { b, weights } = net;
  const kernel = x.shape.slice(2).map(() => 1);
  const weight = weights.take(`${module}.weight`, stored, [outputs, channelsOf(x), ...kernel]);
  const bias = weights.take(`${module}.bias`, [outputs]);
  return scoped(net, module, () => b.op('Conv', [x, weight, bias], { kernel_shape: kernel }));
}

/** `x Wᵀ + bias` for x of `[N, inputs]`. */
export function linear(net: Net, module: string, x: Value, outputs: number): Value {
  const { b, weights } = net;
  const weight = weights.take(`${module}.weight`, [outputs, channelsOf(x)]);
  const bias = weights.take(`${module}.bias`, [outputs]);
  return scoped(net, module, () => b.op('Gemm', [x, weight, bias], { transB: 1 }));
}

/** x s(x), with s the logistic function. */
export function silu(net: Net, module: string, x: Value): Value {
  return scoped(net, module, () => net.b.mul(x, net.b.op('Sigmoid', [x])));
}

export interface Norm {
  readonly groups: number;
  readonly epsilon: number;
}

/** Scale and shift of a normalization, given by the noise level; `[N,C]` each. */
export interface Modulation {
  readonly scale: Value;
  readonly shift: Value;
}

/**
 * Group normalization (Wu & He 2018), x̂ w + b, and where it is modulated (x̂ w + b)(1 + scale) +
 * shift. The affine maps are made one before they meet the image: two products fewer each way.
 */
export function groupNorm(
  net: Net,
  module: string,
  x: Value,
  { groups, epsilon }: Norm,
  modulation?: Modulation,
): Value {
  const { b, weights } = net;
  const channels = channelsOf(x);
  const column = [channels, ...x.shape.slice(2).map(() => 1)];
  const shape = modulation ? [channels] : column;
  const weight = weights.take(`${module}.weight`, [channels], shape);
  const bias = weights.take(`${module}.bias`, [channels], shape);
  return scoped(net, module, () => {
    const ones = b.constant(new Array<number>(groups).fill(1));
    const zeros = b.constant(new Array<number>(groups).fill(0));
    const flat = reshapeRest(net, x, [groups, -1]);
    const normal = b.op('InstanceNormalization', [flat, ones, zeros], { epsilon });
    const xHat = reshapeRest(net, normal, x.shape.slice(1));
    if (!modulation) return b.add(b.mul(xHat, weight), bias);
    const gain = b.add(modulation.scale, b.scalar(1, modulation.scale));
    const slope = b.mul(gain, weight);
    const offset = b.add(b.mul(gain, bias), modulation.shift);
    return b.add(b.mul(xHat, reshapeRest(net, slope, column)), reshapeRest(net, offset, column));
  });
}

/** Twice the size, each element four times. */
export function doubled(net: Net, module: string, x: Value): Value {
  return scoped(net, module, () =>
    net.b.op('Resize', [x, undefined, net.b.constant([1, 1, 2, 2])], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    }),
  );
}

/** Half the size, the mean of four elements each. */
export function halved(net: Net, module: string, x: Value): Value {
  return scoped(net, module, () =>
    net.b.op('AveragePool', [x], { kernel_shape: [2, 2], strides: [2, 2] }),
  );
}

/** Queries, keys and values `[N, heads, channels a head, places]`, places the last axis. */
export interface Heads {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/** softmax(qᵀk / √channels) applied to the values: `[N, heads · channels a head, places of q]`. */
export function attend(net: Net, module: string, { q, k, v }: Heads): Value {
  const { b } = net;
  const [, heads = 1, width = 1, places = 1] = q.shape;
  const turned = (x: Value): Value => b.transpose(x, [0, 1, 3, 2]);
  return scoped(net, module, () => {
    const scores = b.matMul(b.scale(turned(q), 1 / Math.sqrt(width)), k);
    const p = b.op('Softmax', [scores], { axis: -1 });
    return reshapeRest(net, turned(b.matMul(p, turned(v))), [heads * width, places]);
  });
}

/** Number of places of an image. */
export const placesOf = (x: Value): number => sizeOf(x.shape.slice(2));
