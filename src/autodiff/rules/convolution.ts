/** Gradients of convolutions. g: gradient of the output. */
import { intAttr, intsAttr, stringAttr } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { bytesOf, float32Values } from '../../onnx/initializer.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { reachOf, type Window } from '../../onnx/window.ts';
import { sizeOf } from '../../tensor/tensor.ts';
import { eye } from '../adjoint.ts';
import { constantInputs } from '../constant-inputs.ts';
import { derived } from '../derived.ts';
import { rule, unless, type RuleContext, type RuleTable } from '../rule.ts';
import { windowOf } from '../window.ts';

const convWindow = (c: NodeView): Window & { group: number } => ({
  ...windowOf(c, c.w.shape.slice(2)),
  group: intAttr(c.node, 'group', 1),
});

/**
 * Conv's input gradient. With stride 1 it is again a convolution, of g with the kernel flipped in
 * space and its two channel axes exchanged.
 */
function convInput(c: RuleContext): Value {
  const { b, g, x, w, forms } = c;
  const window = convWindow(c);
  const { kernel, strides, dilations, pads, group } = window;
  const rank = kernel.length;
  const reach = reachOf(window);
  const flippedPads = pads.map((p, i) => (reach[i % rank] as number) - p);
  if (
    forms.convolution === 'flipped' &&
    w.dtype === 'float32' &&
    strides.every((s) => s === 1) &&
    flippedPads.every((p) => p >= 0)
  ) {
    return b.op('Conv', [g, flippedWeights(c, group)], {
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
  const attributes = { kernel_shape: kernel, strides, dilations, group, output_padding: rest };
  const even = kernel.every((_, i) => pads[i] === pads[i + rank]);
  if (even || forms.convolution === 'flipped')
    return b.op('ConvTranspose', [g, w], { ...attributes, pads });
  // CUDA has no kernel for uneven pads, and would hand the node to the CPU.
  const whole = b.op('ConvTranspose', [g, w], attributes);
  const spatial = kernel.map((_, i) => i + 2);
  const starts = spatial.map((_, i) => pads[i] ?? 0);
  const ends = spatial.map((axis, i) => (starts[i] as number) + (x.shape[axis] ?? 0));
  return b.op('Slice', [whole, b.ints(starts), b.ints(ends), b.ints(spatial)]);
}

/**
 * The flipped copy of a weight, shared by all nodes that share the weight; computed where the
 * weight is, as it is in training.
 */
function flippedWeights(c: RuleContext, group: number): Value {
  const { b, w } = c;
  const weights = c.initializer(1);
  if (!weights) return flippedAsComputed(c, group);
  const [outputs = 0, inputs = 0, ...kernel] = weights.shape;
  const shape = [inputs * group, outputs / group, ...kernel];
  const bytes = (): Uint8Array => bytesOf(flip(float32Values(weights), weights.shape, group));
  const name = `${w.name}/flipped${group === 1 ? '' : `.${group}`}`;
  return derived(b, name, () => ({ dtype: 'float32', shape, bytes }));
}

/** [O, I/group, k...] to [I, O/group, k reversed...], by nodes. */
function flippedAsComputed({ b, w }: RuleContext, group: number): Value {
  const [outputs = 0, inputs = 0, ...kernel] = w.shape;
  const axes = kernel.map((_, i) => i + 3);
  const grouped = b.reshape(w, [group, outputs / group, inputs, ...kernel]);
  const turned = b.transpose(grouped, [0, 2, 1, ...axes]);
  const flat = b.reshape(turned, [inputs * group, outputs / group, ...kernel]);
  if (kernel.every((k) => k === 1)) return flat;
  const backwards = b.ints(kernel.map(() => -1));
  const pastFirst = b.ints(kernel.map((k) => -k - 1));
  return b.op('Slice', [
    flat,
    backwards,
    pastFirst,
    b.ints(kernel.map((_, i) => i + 2)),
    backwards,
  ]);
}

/** The same for constants. */
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
  const { kernel, strides, dilations, pads, group } = convWindow(c);
  return c.b.op('Conv', [c.g, c.w], { kernel_shape: kernel, strides, dilations, pads, group });
}

/**
 * The gradient of weights, which are computed where a network is trained or makes the kernels of
 * another: g times what each tap of the kernel met.
 * @param from what the convolution reads, `[N, channels, ...]`
 * @param to gradient of what it gives, `[N, filters, ...]`
 */
function weightGradient(c: RuleContext, from: Value, to: Value): Value {
  const { group, kernel } = convWindow(c);
  return group === 1 && sizeOf(kernel) <= mostTaps
    ? weightProduct(c, from, to)
    : weightConvolution(c, from, to);
}

/** Kernels with more taps than this are gone through by a convolution, which copies nothing. */
const mostTaps = 49;

/**
 * One matrix product, of g as `[filters, N · places]` and of what the taps meet as `[taps · channels,
 * N · places]`: three to five times as fast on the CPU as the convolution below.
 */
function weightProduct(c: RuleContext, from: Value, to: Value): Value {
  const { b, w } = c;
  const { kernel, strides, dilations, pads } = convWindow(c);
  const rank = kernel.length;
  const [n = 1, channels = 1] = from.shape;
  const [, filters = 1, ...places] = to.shape;
  const spatial = kernel.map((_, i) => i + 2);
  const swapped = b.transpose(from, [1, 0, ...spatial]);
  const padded = pads.every((p) => p === 0)
    ? swapped
    : b.op('Pad', [swapped, b.ints([0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)])]);
  const taps = Array.from({ length: sizeOf(kernel) }, (_, tap) => {
    const at = kernel.map((k, i) => Math.floor(tap / sizeOf(kernel.slice(i + 1))) % k);
    const starts = at.map((o, i) => o * (dilations[i] as number));
    const ends = starts.map((s, i) => s + (strides[i] as number) * ((places[i] as number) - 1) + 1);
    const whole = starts.every((s, i) => s === 0 && ends[i] === padded.shape[i + 2]);
    if (whole && strides.every((s) => s === 1)) return padded;
    return b.op('Slice', [padded, b.ints(starts), b.ints(ends), b.ints(spatial), b.ints(strides)]);
  });
  const met = taps.length === 1 ? (taps[0] as Value) : b.op('Concat', taps, { axis: 0 });
  const count = n * sizeOf(places);
  const rows = b.reshape(b.transpose(to, [1, 0, ...spatial]), [filters, count]);
  const columns = b.reshape(met, [taps.length * channels, count]);
  const product = b.op('Gemm', [rows, columns], { transB: 1 });
  const turned = b.transpose(b.reshape(product, [filters, taps.length, channels]), [0, 2, 1]);
  return b.reshape(turned, w.shape);
}

/** The convolution of an input with the gradient of an output, batch and channels exchanged. */
function weightConvolution(c: RuleContext, from: Value, to: Value): Value {
  const { b, w } = c;
  const { kernel, strides, dilations, pads, group } = convWindow(c);
  const [n = 1, channels = 1, ...size] = from.shape;
  const spatial = (first: number): number[] => size.map((_, i) => first + i);
  const grouped = b.reshape(from, [n, group, channels / group, ...size]);
  const swapped = b.transpose(grouped, [2, 1, 0, ...spatial(3)]);
  const image = b.reshape(swapped, [channels / group, group * n, ...size]);
  const filters = b.transpose(to, [1, 0, ...spatial(2)]);
  const product = b.op('Conv', [image, filters], {
    kernel_shape: to.shape.slice(2),
    strides: dilations,
    dilations: strides,
    pads,
    group,
  });
  // A stride that does not come out even leaves rows for which there is no weight.
  const ends = kernel.map((k, i) => k - (product.shape[i + 2] as number));
  const none = w.shape.map(() => 0);
  const cropped = ends.every((e) => e === 0)
    ? product
    : b.op('Pad', [product, b.ints([...none, 0, 0, ...ends])]);
  return b.transpose(cropped, [1, 0, ...spatial(2)]);
}

/** Col2Im adds overlapping patches up: its gradient takes them out again, one filter a pixel of a patch. */
function foldedInput(c: RuleContext): Value {
  const { b, g, x, node } = c;
  const kernel = c.constant(2) ?? [];
  const [n = 1, channels = 1, ...size] = g.shape;
  const pixels = sizeOf(kernel);
  const filters = b.reshape(b.cast(eye(b, pixels), g.dtype), [pixels, 1, ...kernel]);
  const patches = b.op('Conv', [b.reshape(g, [n * channels, 1, ...size]), filters], {
    kernel_shape: kernel,
    strides: intsAttr(node, 'strides'),
    dilations: intsAttr(node, 'dilations'),
    pads: intsAttr(node, 'pads'),
  });
  return b.reshape(patches, x.shape);
}

const biasGradient = ({ b, g }: RuleContext): Value =>
  b.reduce('Sum', g, [...g.shape.keys()].toSpliced(1, 1), false);

function unusualOutput({ node }: NodeView): string | undefined {
  if (intsAttr(node, 'output_shape') || stringAttr(node, 'auto_pad', 'NOTSET') !== 'NOTSET')
    return 'output_shape and auto_pad are not supported';
  // ONNX allows it where a dilation is larger; ONNX Runtime's kernel does not run it.
  const strides = intsAttr(node, 'strides') ?? [];
  const tooMuch = intsAttr(node, 'output_padding')?.some((p, i) => p >= (strides[i] ?? 1));
  return tooMuch ? 'its output padding is as large as its stride' : undefined;
}

export const convolution: RuleTable = {
  Col2Im: unless(constantInputs(1, 2), rule(foldedInput)),
  Conv: rule(convInput, (c) => weightGradient(c, c.x, c.g), biasGradient),
  ConvTranspose: unless(
    unusualOutput,
    rule(convTransposeInput, (c) => weightGradient(c, c.g, c.x), biasGradient),
  ),
};
