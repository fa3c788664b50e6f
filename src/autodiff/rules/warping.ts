/** Sampling at computed places, as spatial transformers and optical flow do. */
import { intAttr, stringAttr } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { bytesOf } from '../../onnx/initializer.ts';
import { showShape, sizeOf } from '../../tensor/tensor.ts';
import { constantInputs } from '../constant-inputs.ts';
import { derived } from '../derived.ts';
import { unless, writtenAs, type NodeView, type RuleTable } from '../rule.ts';

/**
 * What a pixel counts at a distance of 0 to 1 after it: for each pixel around, its place and the
 * coefficients of a polynomial. The cubic one is that of Keys 1981, eq. 8, with a = −0.75.
 */
const kernels: Readonly<Record<string, readonly { at: number; weights: readonly number[] }[]>> = {
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
};

/** The pixels around each place along one axis, `[n, taps, places]`: where they are and what they count. */
interface Taps {
  readonly index: Value;
  readonly weight: Value;
}

/**
 * GridSample: the pixels around each place, gathered and weighed. What is beyond the edge is another pixel
 * or counts as nothing, so that no place itself has to be moved.
 */
function gridSample(b: GraphBuilder, v: NodeView): Value[] {
  const { x, w: grid } = v;
  const [n = 1, channels = 1, ...sizes] = x.shape;
  const places = sizeOf(grid.shape.slice(1, -1));
  // The grid's last axis begins with the image's last.
  const coordinates = b
    .split(b.reshape(grid, [n, places, sizes.length]), Array<number>(sizes.length).fill(1), 2)
    .toReversed();
  const { index, weight } = sizes
    .map((size, axis) =>
      tapsAlong(b, v, b.reshape(coordinates[axis] as Value, [n, 1, places]), size),
    )
    .reduce((before, taps, axis) => crossed(b, before, taps, sizes[axis] as number));
  const taps = weight.shape[1] as number;
  const pixels = b.transpose(b.reshape(x, [n, channels, sizeOf(sizes)]), [0, 2, 1]);
  const around = b.op('GatherND', [pixels, b.reshape(index, [n, taps * places, 1])], {
    batch_dims: 1,
  });
  const weighed = b.mul(
    b.reshape(around, [n, taps, places, channels]),
    b.reshape(b.cast(weight, x.dtype), [n, taps, places, 1]),
  );
  const sums = b.transpose(b.reduce('Sum', weighed, [1], false), [0, 2, 1]);
  return [b.reshape(sums, [n, channels, ...grid.shape.slice(1, -1)])];
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

function tapsAlong(b: GraphBuilder, { node }: NodeView, coordinate: Value, size: number): Taps {
  const mode = stringAttr(node, 'mode', 'linear').replace(/^bi/, '');
  const corners = intAttr(node, 'align_corners', 0) === 1;
  // -1 and 1 are the outermost pixels' centres, or the image's edges.
  const half = (corners ? size - 1 : size) / 2;
  const at = b.add(b.scale(coordinate, half), b.scalar((size - 1) / 2, coordinate));
  const start = b.op(mode === 'nearest' ? 'Round' : 'Floor', [at]);
  const kernel = kernels[mode] ?? [];
  const column = (list: number[], like: Value): Value =>
    b.constant(list, like.dtype, [1, list.length, 1]);
  const offsets = kernel.map((tap) => tap.at);
  const first = b.cast(start, 'int64');
  const place = b.add(first, column(offsets, first));
  const degree = (kernel[0]?.weights.length ?? 1) - 1;
  const coefficient = (k: number): Value =>
    column(
      kernel.map(({ weights }) => weights[k] as number),
      at,
    );
  const distance = b.sub(at, start);
  let weight = b.expand(coefficient(degree), [...at.shape].with(1, kernel.length));
  for (let k = degree - 1; k >= 0; k--) weight = b.add(b.mul(weight, distance), coefficient(k));
  return insideOf(b, stringAttr(node, 'padding_mode', 'zeros'), corners, size, {
    index: place,
    weight,
  });
}

/** Pixels beyond the edge as others of the image, or as nothing. */
function insideOf(
  b: GraphBuilder,
  padding: string,
  corners: boolean,
  size: number,
  { index, weight }: Taps,
): Taps {
  const last = b.ints(size - 1);
  const clamped = b.op('Min', [b.op('Max', [index, b.ints(0)]), last]);
  if (padding === 'border') return { index: clamped, weight };
  if (padding === 'zeros') {
    const inside = b.cast(b.op('Equal', [index, clamped]), weight.dtype);
    return { index: clamped, weight: b.mul(weight, inside) };
  }
  // Mirrored at the outermost centres, which occur once in a period, or at the edges.
  const period = corners ? Math.max(2 * (size - 1), 1) : 2 * size;
  const phase = b.op('Mod', [index, b.ints(period)]);
  const mirrored = b.sub(b.ints(corners ? period : period - 1), phase);
  return { index: b.op('Min', [phase, mirrored]), weight };
}

const cubicInSpace = ({ node, x }: NodeView): string | undefined =>
  x.shape.length > 4 && stringAttr(node, 'mode', '').endsWith('cubic')
    ? 'cubic interpolation is for images only'
    : undefined;

/** AffineGrid: every place of the output, by the matrix. */
function affineGrid(b: GraphBuilder, v: NodeView): Value[] {
  const [n = 1, , ...sizes] = v.constant(1) ?? [];
  const corners = intAttr(v.node, 'align_corners', 0) === 1;
  const shape = [sizeOf(sizes), sizes.length + 1];
  const places = derived(b, `places${showShape(sizes)}${corners ? ':corners' : ''}`, () => ({
    dtype: 'float32',
    shape,
    bytes: () => bytesOf(Float32Array.from(homogeneous(sizes, corners))),
  }));
  const moved = b.matMul(b.cast(places, v.x.dtype), b.swapLast(v.x));
  return [b.reshape(moved, [n, ...sizes, sizes.length])];
}

/** x, y, … and 1 of every pixel, row by row, in [-1,1]. */
function* homogeneous(sizes: readonly number[], corners: boolean): Generator<number> {
  for (let i = 0; i < sizeOf(sizes); i++) {
    let rest = i;
    for (const size of sizes.toReversed()) {
      const k = rest % size;
      rest = (rest - k) / size;
      const span = corners ? size - 1 : size;
      yield corners ? (span === 0 ? 0 : (2 * k) / span - 1) : (2 * k + 1) / span - 1;
    }
    yield 1;
  }
}

export const warping: RuleTable = {
  GridSample: unless(cubicInSpace, writtenAs([0, 1], gridSample)),
  AffineGrid: unless(constantInputs(1), writtenAs([0], affineGrid)),
};
