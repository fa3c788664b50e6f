/** What an image goes through before a network sees it, as a subgraph that is differentiated. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { separable } from '../onnx/separable.ts';
import { resamplingMatrix, type Resampling } from '../tensor/filter.ts';

/** Maps [-1,1] to a range: v ↦ scale v + shift. */
export const ranges = {
  '[-1,1]': { scale: 1, shift: 0 },
  '[0,1]': { scale: 0.5, shift: 0.5 },
  '[0,255]': { scale: 127.5, shift: 127.5 },
} as const;
export type Range = keyof typeof ranges;

/** A part of an image, in its pixels. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Preprocessing {
  /** The whole image if left out. */
  readonly crop?: Region;
  /** What the crop is resized to; left as it is if left out. */
  readonly size?: { readonly height: number; readonly width: number };
  readonly resize: Resampling;
  /** What the network's input spans before mean and std. */
  readonly range: Range;
  /** (v − mean) / std by channel, on that range; one number goes for all channels. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** `[C,H,W]` of what comes out for images `[C,H,W]`. */
export function preprocessedShape(
  [channels = 0, height = 0, width = 0]: readonly number[],
  { crop, size }: Pick<Preprocessing, 'crop' | 'size'>,
): [number, number, number] {
  const seen = size ?? crop ?? { height, width };
  return [channels, seen.height, seen.width];
}

/**
 * Crop, resize, range, mean and std, in this order.
 * @param image `[N,C,H,W]` in [-1,1]
 */
export function preprocess(b: GraphBuilder, image: Value, p: Preprocessing): Value {
  const { crop, size } = p;
  const cropped = crop ? cut(b, image, crop) : image;
  const resized = size ? resample(b, cropped, size, p.resize) : cropped;
  const { gain, offset } = affine(p);
  const scaled = gain.every((g) => g === 1) ? resized : b.mul(resized, perChannel(b, gain));
  return offset.every((o) => o === 0) ? scaled : b.add(scaled, perChannel(b, offset));
}

/** Range, mean and std as one map by channel: ((scale v + shift) − mean) / std = gain v + offset. */
export function affine({ range, mean, std }: Pick<Preprocessing, 'range' | 'mean' | 'std'>): {
  gain: number[];
  offset: number[];
} {
  const { scale, shift } = ranges[range];
  return {
    gain: std.map((s) => scale / s),
    offset: std.map((s, c) => (shift - (mean[c] ?? mean[0] ?? 0)) / s),
  };
}

/** An image `[N,C,H,W]` at another size. */
export function resample(
  b: GraphBuilder,
  image: Value,
  { height, width }: { readonly height: number; readonly width: number },
  how: Resampling,
): Value {
  const [, , h = 0, w = 0] = image.shape;
  if (h === height && w === width) return image;
  return separable(b, image, resamplingMatrix(h, height, how), resamplingMatrix(w, width, how));
}

function cut(b: GraphBuilder, image: Value, { left, top, width, height }: Region): Value {
  const [starts, ends] = [b.ints([top, left]), b.ints([top + height, left + width])];
  return b.op('Slice', [image, starts, ends, b.ints([2, 3])]);
}

function perChannel(b: GraphBuilder, values: readonly number[]): Value {
  return b.constant(values, 'float32', [1, values.length, 1, 1]);
}
