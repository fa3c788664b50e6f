/** Output types of operators that move elements without computing with them. */
import { sizeOf } from '../../tensor/tensor.ts';
import { axisOf, broadcast, intOf, intsOf, need, stringOf, type Infer } from './infer.ts';
import { same } from './elementwise.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** What Slice takes of one axis: first index, step (never 0) and count. */
export function sliceSpan(
  dim: number,
  start: number,
  end: number,
  step: number,
): { first: number; count: number } {
  const clamp = (v: number, lo: number, hi: number): number => Math.min(Math.max(v, lo), hi);
  const at = (v: number): number => (v < 0 ? v + dim : v);
  const [lo, hi] = step > 0 ? [0, dim] : [-1, dim - 1];
  const first = clamp(at(start), 0, step > 0 ? dim : dim - 1);
  // A negative end below -dim means "through element 0" when stepping backwards.
  const last = clamp(at(end), lo, hi);
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) };
}

/** Pads of every axis, begins then ends, whatever axes the node names. */
export function fullPads(
  pads: readonly number[],
  axes: readonly number[] | undefined,
  rank: number,
): number[] {
  const full = new Array<number>(2 * rank).fill(0);
  const named = axes ?? range(rank);
  named.forEach((axis, j) => {
    const a = axisOf(axis, rank);
    full[a] = pads[j] ?? 0;
    full[a + rank] = pads[j + named.length] ?? 0;
  });
  return full;
}

/** Reshape's target with 0 and -1 resolved. */
function reshaped(
  shape: readonly number[],
  target: readonly number[],
  allowzero: boolean,
): number[] {
  const kept = target.map((d, i) => (d === 0 && !allowzero ? (shape[i] ?? 0) : d));
  const known = kept.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const out = kept.map((d) => (d === -1 ? sizeOf(shape) / known : d));
  if (sizeOf(out) !== sizeOf(shape) || !out.every(Number.isInteger))
    throw new RangeError(`cannot reshape [${shape.join(',')}] to [${target.join(',')}]`);
  return out;
}

const gather: Infer = (c) => {
  const [x, indices] = [need(c, 0), need(c, 1)];
  const axis = axisOf(intOf(c, 'axis', 0), x.shape.length);
  return [
    {
      dtype: x.dtype,
      shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)],
    },
  ];
};

export const movement: Record<string, Infer> = {
  Reshape: (c) => {
    const x = need(c, 0);
    const target = c.constant(1) ?? [];
    return [{ dtype: x.dtype, shape: reshaped(x.shape, target, intOf(c, 'allowzero', 0) === 1) }];
  },
  Flatten: (c) => {
    const { dtype, shape } = need(c, 0);
    const axis = intOf(c, 'axis', 1);
    const at = axis < 0 ? axis + shape.length : axis;
    return [{ dtype, shape: [sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))] }];
  },
  Squeeze: (c) => {
    const { dtype, shape } = need(c, 0);
    const axes = c.constant(1)?.map((a) => axisOf(a, shape.length));
    return [{ dtype, shape: shape.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)) }];
  },
  Unsqueeze: (c) => {
    const { dtype, shape } = need(c, 0);
    const axes = c.constant(1) ?? [];
    const rank = shape.length + axes.length;
    const added = new Set(axes.map((a) => axisOf(a, rank)));
    const rest = shape.values();
    return [
      { dtype, shape: range(rank).map((i) => (added.has(i) ? 1 : (rest.next().value as number))) },
    ];
  },
  Transpose: (c) => {
    const { dtype, shape } = need(c, 0);
    const perm = intsOf(c, 'perm') ?? range(shape.length).reverse();
    return [{ dtype, shape: perm.map((p) => shape[p] as number) }];
  },
  Expand: (c) => {
    const { dtype, shape } = need(c, 0);
    return [{ dtype, shape: broadcast(shape, c.constant(1) ?? []) }];
  },
  Tile: (c) => {
    const { dtype, shape } = need(c, 0);
    const repeats = c.constant(1) ?? [];
    return [{ dtype, shape: shape.map((d, i) => d * (repeats[i] ?? 1)) }];
  },
  Concat: (c) => {
    const { dtype, shape } = need(c, 0);
    const axis = axisOf(intOf(c, 'axis', 0), shape.length);
    const total = c.inputs.reduce((n, _, i) => n + (need(c, i).shape[axis] as number), 0);
    return [{ dtype, shape: shape.with(axis, total) }];
  },
  Split: (c) => {
    const { dtype, shape } = need(c, 0);
    const axis = axisOf(intOf(c, 'axis', 0), shape.length);
    const dim = shape[axis] as number;
    const chunk = Math.ceil(dim / c.outputs);
    const sizes =
      c.constant(1) ?? range(c.outputs).map((i) => Math.max(0, Math.min(chunk, dim - i * chunk)));
    return sizes.map((n) => ({ dtype, shape: shape.with(axis, n) }));
  },
  Slice: (c) => {
    const { dtype, shape } = need(c, 0);
    const [starts, ends] = [c.constant(1) ?? [], c.constant(2) ?? []];
    const axes = c.constant(3) ?? range(starts.length);
    const steps = c.constant(4);
    const out = [...shape];
    axes.forEach((axis, j) => {
      const a = axisOf(axis, shape.length);
      const dim = shape[a] as number;
      out[a] = sliceSpan(dim, starts[j] ?? 0, ends[j] ?? dim, steps?.[j] ?? 1).count;
    });
    return [{ dtype, shape: out }];
  },
  Pad: (c) => {
    const { dtype, shape } = need(c, 0);
    const pads = fullPads(c.constant(1) ?? [], c.constant(3), shape.length);
    return [
      { dtype, shape: shape.map((d, i) => d + (pads[i] ?? 0) + (pads[i + shape.length] ?? 0)) },
    ];
  },
  Gather: gather,
  GatherElements: (c) => [{ dtype: need(c, 0).dtype, shape: need(c, 1).shape }],
  GatherND: (c) => {
    const [x, indices] = [need(c, 0), need(c, 1)];
    const batch = intOf(c, 'batch_dims', 0);
    const depth = indices.shape.at(-1) ?? 0;
    return [
      { dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(batch + depth)] },
    ];
  },
  TopK: (c) => {
    const { dtype, shape } = need(c, 0);
    const axis = axisOf(intOf(c, 'axis', -1), shape.length);
    const kept = shape.with(axis, c.constant(1)?.[0] ?? 0);
    return [
      { dtype, shape: kept },
      { dtype: 'int64' as const, shape: kept },
    ].slice(0, c.outputs);
  },
  ScatterElements: same,
  ScatterND: same,
  ReverseSequence: same,
  DepthToSpace: (c) => {
    const { dtype, shape } = need(c, 0);
    const [n = 1, ch = 1, h = 1, w = 1] = shape;
    const k = intOf(c, 'blocksize', 1);
    return [{ dtype, shape: [n, ch / k / k, h * k, w * k] }];
  },
  SpaceToDepth: (c) => {
    const { dtype, shape } = need(c, 0);
    const [n = 1, ch = 1, h = 1, w = 1] = shape;
    const k = intOf(c, 'blocksize', 1);
    return [{ dtype, shape: [n, ch * k * k, h / k, w / k] }];
  },
  GridSample: (c) => {
    const { dtype, shape } = need(c, 0);
    return [{ dtype, shape: [...shape.slice(0, 2), ...need(c, 1).shape.slice(1, -1)] }];
  },
  AffineGrid: (c) => {
    const [n = 1, , ...sizes] = c.constant(1) ?? [];
    return [{ dtype: need(c, 0).dtype, shape: [n, ...sizes, sizes.length] }];
  },
  RoiAlign: (c) => {
    const [x, rois] = [need(c, 0), need(c, 1)];
    const bins = [intOf(c, 'output_height', 1), intOf(c, 'output_width', 1)];
    return [{ dtype: x.dtype, shape: [rois.shape[0] as number, x.shape[1] as number, ...bins] }];
  },
  Col2Im: (c) => {
    const { dtype, shape } = need(c, 0);
    const [n = 1, rows = 1] = shape;
    return [{ dtype, shape: [n, rows / sizeOf(c.constant(2) ?? []), ...(c.constant(1) ?? [])] }];
  },
  Shape: (c) => {
    const { shape } = need(c, 0);
    const kept = shape.slice(intOf(c, 'start', 0), intOf(c, 'end', shape.length));
    return [{ dtype: 'int64', shape: [kept.length] }];
  },
  Size: () => [{ dtype: 'int64', shape: [] }],
  Resize: (c) => {
    const { dtype, shape } = need(c, 0);
    const [scales, sizes] = [c.constant(2), c.constant(3)];
    if (stringOf(c, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch')
      throw new RangeError('Resize: only the stretch policy');
    const axes = intsOf(c, 'axes')?.map((a) => axisOf(a, shape.length)) ?? range(shape.length);
    const out = [...shape];
    axes.forEach((a, j) => {
      const dim = shape[a] as number;
      out[a] = sizes?.length
        ? (sizes[j] as number)
        : Math.floor(Math.fround(dim * (scales?.[j] ?? 1)));
    });
    return [{ dtype, shape: out }];
  },
};
