/** An image read between its pixels, by operators that have gradients. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { sizeOf } from '../tensor/tensor.ts';

/**
 * What a pixel counts at a distance of 0 to 1 after it: for each pixel around, its place and the
 * coefficients of a polynomial. The cubic one is that of Keys 1981, eq. 8, with a = −0.75.
 */
const kernels = {
  nearest: [{ at: 0, weights: [1] }],
  linear: [
    { at: 0, weights: [1, -1] },
    { at: 1, weights: [0, 1] },
  ],
  cubic: [
    { at: -1, weights: [0, -0.75, 1.5, -0.75] },
    { at: 0, weights: [1, 0, -2.25, 1.25] },
    { at: 1, weights: [0, 0.75, 1.5, -1.25] },
    { at: 2, weights: [0, 0, -0.75, 0.75] },
  ],
} as const;

export interface Sampling {
  readonly mode: keyof typeof kernels;
  /**
   * What is beyond the edge: nothing, the pixel at the edge, or the image mirrored at its edges or at the
   * centres of its outermost pixels.
   */
  readonly beyond: 'zeros' | 'border' | 'mirrored at edges' | 'mirrored at centres';
}

/** The pixels around each place along one axis, `[n, taps, places]`: where they are and what they count. */
interface Taps {
  readonly index: Value;
  readonly weight: Value;
}

/**
 * What is read at each place: the sum of the pixels around it, weighed.
 * @param x `[n, channels, ...sizes]`
 * @param at places along each axis of the sizes, `[n, 1, places]`; 0 is the centre of the first pixel
 * @returns `[n, places, channels]`
 */
export function sampled(b: GraphBuilder, x: Value, at: readonly Value[], how: Sampling): Value {
  return b.reduce('Sum', weighedAround(b, x, at, how), [1], false);
}

/**
 * The pixels around each place, gathered and weighed. What is beyond the edge is another pixel or counts as
 * nothing, so that no place itself has to be moved.
 * @param x `[n, channels, ...sizes]`
 * @param at places along each axis of the sizes, `[rows, 1, places]`
 * @param of which of the n images the places of each row are in, `[rows]`; its own if left out
 * @returns `[rows, taps, places, channels]`
 */
export function weighedAround(
  b: GraphBuilder,
  x: Value,
  at: readonly Value[],
  { mode, beyond }: Sampling,
  of?: Value,
): Value {
  const [n = 1, channels = 1, ...sizes] = x.shape;
  const { index, weight } = at
    .map((coordinate, axis) => {
      const taps = tapsAlong(b, coordinate, mode);
      return within(b, taps, sizes[axis] as number, beyond);
    })
    .reduce((before, taps, axis) => crossed(b, before, taps, sizes[axis] as number));
  const [rows = 1, taps = 1, places = 1] = weight.shape;
  const pixels = b.transpose(b.reshape(x, [n, channels, sizeOf(sizes)]), [0, 2, 1]);
  const inImage = b.reshape(index, [rows, taps * places, 1]);
  const around = of
    ? b.op('GatherND', [pixels, inImages(b, of, inImage)])
    : b.op('GatherND', [pixels, inImage], { batch_dims: 1 });
  return b.mul(
    b.reshape(around, [rows, taps, places, channels]),
    b.reshape(b.cast(weight, x.dtype), [rows, taps, places, 1]),
  );
}

/** Indices `[rows, count, 1]` with that of the row's image before each. */
function inImages(b: GraphBuilder, of: Value, index: Value): Value {
  const image = b.expand(b.reshape(of, [of.shape[0] as number, 1, 1]), index.shape);
  return b.op('Concat', [image, index], { axis: 2 });
}

function tapsAlong(b: GraphBuilder, at: Value, mode: Sampling['mode']): Taps {
  const kernel = kernels[mode];
  const column = (list: readonly number[], like: Value): Value =>
    b.constant(list, like.dtype, [1, list.length, 1]);
  const start = b.op(mode === 'nearest' ? 'Round' : 'Floor', [at]);
  const first = b.cast(start, 'int64');
  const offsets = kernel.map((tap) => tap.at);
  const degree = kernel[0].weights.length - 1;
  const coefficients = (k: number): Value =>
    column(
      kernel.map(({ weights }) => weights[k] as number),
      at,
    );
  const distance = b.sub(at, start);
  let weight = b.expand(coefficients(degree), at.shape.with(1, kernel.length));
  for (let k = degree - 1; k >= 0; k--) weight = b.add(b.mul(weight, distance), coefficients(k));
  return { index: b.add(first, column(offsets, first)), weight };
}

/** Pixels beyond the edge as others of the image, or as nothing. */
function within(
  b: GraphBuilder,
  { index, weight }: Taps,
  size: number,
  beyond: Sampling['beyond'],
): Taps {
  const clamped = b.op('Min', [b.op('Max', [index, b.ints(0)]), b.ints(size - 1)]);
  if (beyond === 'border') return { index: clamped, weight };
  if (beyond === 'zeros') {
    const inside = b.cast(b.op('Equal', [index, clamped]), weight.dtype);
    return { index: clamped, weight: b.mul(weight, inside) };
  }
  // The outermost pixels occur twice in a period, or once.
  const atEdges = beyond === 'mirrored at edges';
  const period = atEdges ? 2 * size : Math.max(2 * size - 2, 1);
  const phase = b.op('Mod', [index, b.ints(period)]);
  const back = b.sub(b.ints(atEdges ? period - 1 : period), phase);
  return { index: b.op('Min', [phase, back]), weight };
}

/** Every pixel of one axis with every one of the next, which is so long. */
function crossed(b: GraphBuilder, p: Taps, q: Taps, size: number): Taps {
  const [n = 1, rows = 1, places = 1] = p.index.shape;
  const columns = q.index.shape[1] as number;
  const down = (v: Value): Value => b.reshape(v, [n, rows, 1, places]);
  const across = (v: Value): Value => b.reshape(v, [n, 1, columns, places]);
  const flat = (v: Value): Value => b.reshape(v, [n, rows * columns, places]);
  const starts = b.mul(down(p.index), b.ints(size));
  return {
    index: flat(b.add(starts, across(q.index))),
    weight: flat(b.mul(down(p.weight), across(q.weight))),
  };
}
