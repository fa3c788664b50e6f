/** Output types of convolutions, pooling, matrix products, determinants and transforms. */
import { einsumTerms } from '../einsum.ts';
import { makeWindow, reachOf, windowCounts, type Window } from '../window.ts';
import {
  axisOf,
  broadcast,
  intOf,
  intsOf,
  need,
  stringOf,
  type Infer,
  type InferContext,
} from './infer.ts';

/** The window of a node over the spatial axes of its first input. */
function windowOf(c: InferContext, kernel: readonly number[]): Window {
  return makeWindow(need(c, 0).shape.slice(2), kernel, {
    strides: intsOf(c, 'strides'),
    dilations: intsOf(c, 'dilations'),
    pads: intsOf(c, 'pads'),
    autoPad: stringOf(c, 'auto_pad', 'NOTSET'),
  });
}

const conv: Infer = (c) => {
  const [x, w] = [need(c, 0), need(c, 1)];
  if ((x.shape[1] ?? 0) !== (w.shape[1] ?? 0) * intOf(c, 'group', 1))
    throw new RangeError(`weight [${w.shape.join(',')}] on input [${x.shape.join(',')}]`);
  const out = windowCounts(x.shape.slice(2), windowOf(c, w.shape.slice(2)));
  return [{ dtype: x.dtype, shape: [x.shape[0] as number, w.shape[0] as number, ...out] }];
};

const convTranspose: Infer = (c) => {
  const [x, w] = [need(c, 0), need(c, 1)];
  const kernel = w.shape.slice(2);
  if (intsOf(c, 'output_shape') || stringOf(c, 'auto_pad', 'NOTSET').startsWith('SAME'))
    throw new RangeError('output_shape and auto_pad: write explicit pads');
  const window = windowOf(c, kernel);
  const reach = reachOf(window);
  const extra = intsOf(c, 'output_padding') ?? kernel.map(() => 0);
  const out = kernel.map((_, i) => {
    const padding = (window.pads[i] as number) + (window.pads[i + kernel.length] as number);
    const steps = ((x.shape[i + 2] ?? 0) - 1) * (window.strides[i] as number);
    return steps + (extra[i] ?? 0) + (reach[i] as number) + 1 - padding;
  });
  const channels = (w.shape[1] ?? 0) * intOf(c, 'group', 1);
  return [{ dtype: x.dtype, shape: [x.shape[0] as number, channels, ...out] }];
};

const deformConv: Infer = (c) => {
  const [x, w, offsets] = [need(c, 0), need(c, 1), need(c, 2)];
  const [batch, filters] = [x.shape[0] as number, w.shape[0] as number];
  return [{ dtype: x.dtype, shape: [batch, filters, ...offsets.shape.slice(2)] }];
};

const pool: Infer = (c) => {
  const x = need(c, 0);
  const window = windowOf(c, intsOf(c, 'kernel_shape') ?? []);
  const out = windowCounts(x.shape.slice(2), window, intOf(c, 'ceil_mode', 0) === 1);
  const shape = [...x.shape.slice(0, 2), ...out];
  return [
    { dtype: x.dtype, shape },
    { dtype: 'int64' as const, shape },
  ].slice(0, c.outputs);
};

/** What pooling of that window would have been given, unless the node is told the shape. */
const maxUnpool: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  const kernel = intsOf(c, 'kernel_shape') ?? [];
  const { strides, pads } = windowOf(c, kernel);
  const sizes = kernel.map((k, i) => {
    const padding = (pads[i] as number) + (pads[i + kernel.length] as number);
    return ((shape[i + 2] as number) - 1) * (strides[i] as number) + k - padding;
  });
  return [{ dtype, shape: c.constant(2) ?? [...shape.slice(0, 2), ...sizes] }];
};

const globalPool: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  return [{ dtype, shape: shape.map((d, i) => (i < 2 ? d : 1)) }];
};

const matMul: Infer = (c) => {
  const [a, b] = [need(c, 0), need(c, 1)];
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  if (left.at(-1) !== right.at(-2))
    throw new RangeError(`[${a.shape.join(',')}] times [${b.shape.join(',')}]`);
  const batch = broadcast(left.slice(0, -2), right.slice(0, -2));
  const rows = a.shape.length === 1 ? [] : [left.at(-2) as number];
  const columns = b.shape.length === 1 ? [] : [right.at(-1) as number];
  return [{ dtype: a.dtype, shape: [...batch, ...rows, ...columns] }];
};

const gemm: Infer = (c) => {
  const [a, b] = [need(c, 0), need(c, 1)];
  const rows = a.shape[intOf(c, 'transA', 0) ? 1 : 0] as number;
  const columns = b.shape[intOf(c, 'transB', 0) ? 0 : 1] as number;
  const inner = [a.shape[intOf(c, 'transA', 0) ? 0 : 1], b.shape[intOf(c, 'transB', 0) ? 1 : 0]];
  if (inner[0] !== inner[1]) throw new RangeError(`${inner[0]} columns times ${inner[1]} rows`);
  return [{ dtype: a.dtype, shape: [rows, columns] }];
};

const einsum: Infer = (c) => {
  const shapes = c.inputs.map((_, i) => need(c, i).shape);
  const ranks = shapes.map((shape) => shape.length);
  const { operands, result } = einsumTerms(stringOf(c, 'equation', ''), ranks);
  const size = new Map<string, number>();
  operands.forEach((letters, i) => {
    [...letters].forEach((letter, j) =>
      size.set(letter, Math.max(size.get(letter) ?? 1, shapes[i]?.[j] as number)),
    );
  });
  return [{ dtype: need(c, 0).dtype, shape: [...result].map((l) => size.get(l) as number) }];
};

const dft: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  const named = c.opset < 20 ? intOf(c, 'axis', 1) : (c.constant(2)?.[0] ?? -2);
  const axis = axisOf(named, shape.length);
  const size = shape[axis] as number;
  // Half a spectrum, of which the other half is the mirror image, gives real values.
  if (intOf(c, 'onesided', 0) && intOf(c, 'inverse', 0)) {
    const length = c.constant(1)?.[0] ?? 2 * (size - 1);
    return [{ dtype, shape: shape.with(axis, length).with(-1, 1) }];
  }
  const length = c.constant(1)?.[0] ?? size;
  const kept = intOf(c, 'onesided', 0) ? Math.floor(length / 2) + 1 : length;
  return [{ dtype, shape: shape.with(axis, kept).with(-1, 2) }];
};

const stft: Infer = (c) => {
  const { dtype, shape } = need(c, 0);
  const [batch = 0, samples = 0] = shape;
  const length = c.constant(3)?.[0] ?? need(c, 2).shape[0] ?? 1;
  const frames = Math.floor((samples - length) / (c.constant(1)?.[0] ?? 1)) + 1;
  const kept = intOf(c, 'onesided', 1) ? Math.floor(length / 2) + 1 : length;
  return [{ dtype, shape: [batch, frames, kept, 2] }];
};

/** Every state, the last one, and the last cell of an LSTM. */
const recurrent: Infer = (c) => {
  const [x, r] = [need(c, 0), need(c, 2)];
  const { dtype } = x;
  const [steps = 0, batch = 0] = x.shape;
  const [directions = 1, , hidden = 0] = r.shape;
  const last = { dtype, shape: [directions, batch, hidden] };
  return [{ dtype, shape: [steps, directions, batch, hidden] }, last, last].slice(0, c.outputs);
};

export const linear: Record<string, Infer> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  DeformConv: deformConv,
  AveragePool: pool,
  LpPool: pool,
  MaxPool: pool,
  MaxUnpool: maxUnpool,
  GlobalAveragePool: globalPool,
  GlobalLpPool: globalPool,
  GlobalMaxPool: globalPool,
  MatMul: matMul,
  Gemm: gemm,
  Einsum: einsum,
  Det: (c) => [{ dtype: need(c, 0).dtype, shape: need(c, 0).shape.slice(0, -2) }],
  DFT: dft,
  STFT: stft,
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
};
