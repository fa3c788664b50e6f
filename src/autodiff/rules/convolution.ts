/** Gradients of convolutions with respect to their input. */
import { intAttr, intsAttr, stringAttr } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { bytesOf, float32Values, type Initializer } from '../../onnx/initializer.ts';
import { rule, unless, type NodeView, type RuleContext, type RuleTable } from '../rule.ts';

interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begins, then ends; auto_pad worked out. */
  readonly pads: readonly number[];
  readonly group: number;
}

/** What a Conv or ConvTranspose node slides over its input. */
function windowOf({ node, x, w }: NodeView): Window {
  const kernel = w.shape.slice(2);
  const ones = kernel.map(() => 1);
  const strides = intsAttr(node, 'strides') ?? ones;
  const dilations = intsAttr(node, 'dilations') ?? ones;
  const group = intAttr(node, 'group', 1);
  const auto = stringAttr(node, 'auto_pad', 'NOTSET');
  const pads = auto.startsWith('SAME')
    ? samePads(x.shape.slice(2), kernel, strides, dilations, auto === 'SAME_UPPER')
    : (intsAttr(node, 'pads') ?? [...ones, ...ones].fill(0));
  return { kernel, strides, dilations, pads, group };
}

/** Padding that makes the output ⌈size/stride⌉ wide, the odd element at the end or the beginning. */
function samePads(
  sizes: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  upper: boolean,
): number[] {
  const totals = sizes.map((size, i) => {
    const [k = 1, s = 1, d = 1] = [kernel[i], strides[i], dilations[i]];
    return Math.max((Math.ceil(size / s) - 1) * s + d * (k - 1) + 1 - size, 0);
  });
  const begins = totals.map((t) => (upper ? Math.floor(t / 2) : Math.ceil(t / 2)));
  return [...begins, ...totals.map((t, i) => t - (begins[i] as number))];
}

/**
 * Conv's input gradient. With stride 1 it is again a convolution, of g with the kernel flipped in
 * space and its two channel axes exchanged; that form needs the weights to be constant.
 */
function convInput(c: RuleContext): Value {
  const { b, g, x, w, forms } = c;
  const { kernel, strides, dilations, pads, group } = windowOf(c);
  const rank = kernel.length;
  const reach = kernel.map((k, i) => (dilations[i] as number) * (k - 1));
  const flippedPads = pads.map((p, i) => (reach[i % rank] as number) - p);
  const weights = c.initializer(1);
  if (
    forms.convolution === 'flipped' &&
    weights?.dtype === 'float32' &&
    strides.every((s) => s === 1) &&
    flippedPads.every((p) => p >= 0)
  ) {
    const flipped = flippedWeights(c, weights, group);
    return b.op('Conv', [g, flipped], {
      kernel_shape: kernel,
      dilations,
      pads: flippedPads,
      group,
    });
  }
  // The rows that a stride leaves unvisited at the far end.
  const rest = kernel.map((_, i) => {
    const padded = (x.shape[i + 2] ?? 0) + (pads[i] ?? 0) + (pads[i + rank] ?? 0);
    return (padded - (reach[i] as number) - 1) % (strides[i] as number);
  });
  return b.op('ConvTranspose', [g, w], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads,
    group,
    output_padding: rest,
  });
}

/** The flipped copy of a weight, shared by all nodes that share the weight. */
function flippedWeights({ b, w }: RuleContext, weights: Initializer, group: number): Value {
  const name = `${w.name}/flipped${group === 1 ? '' : `.${group}`}`;
  const known = b.graph.values.get(name);
  if (known) return known;
  const [outputs = 0, inputs = 0, ...kernel] = weights.shape;
  const shape = [inputs * group, outputs / group, ...kernel];
  const bytes = (): Uint8Array => bytesOf(flip(float32Values(weights), weights.shape, group));
  return b.initializer(name, { dtype: 'float32', shape, bytes });
}

/** [O, I/group, k...] to [I, O/group, k reversed...]. */
function flip(from: Float32Array, shape: readonly number[], group: number): Float32Array {
  const [outputs = 0, perGroup = 0, ...kernel] = shape;
  const taps = kernel.reduce((n, k) => n * k, 1);
  const outs = outputs / group;
  const to = new Float32Array(from.length);
  for (let q = 0; q < group; q++)
    for (let o = 0; o < outs; o++)
      for (let i = 0; i < perGroup; i++) {
        const source = ((q * outs + o) * perGroup + i) * taps;
        const target = ((q * perGroup + i) * outs + o) * taps;
        for (let t = 0; t < taps; t++) to[target + t] = from[source + taps - 1 - t] as number;
      }
  return to;
}

/** ConvTranspose is the adjoint of a Conv, so that Conv is its input gradient. */
function convTransposeInput(c: RuleContext): Value {
  const { kernel, strides, dilations, pads, group } = windowOf(c);
  return c.b.op('Conv', [c.g, c.w], { kernel_shape: kernel, strides, dilations, pads, group });
}

const explicitOutput = (v: NodeView): string | undefined =>
  intsAttr(v.node, 'output_shape') || stringAttr(v.node, 'auto_pad', 'NOTSET') !== 'NOTSET'
    ? 'output_shape and auto_pad are not supported'
    : undefined;

export const convolution: RuleTable = {
  Conv: rule(convInput),
  ConvTranspose: unless(explicitOutput, rule(convTransposeInput)),
};
