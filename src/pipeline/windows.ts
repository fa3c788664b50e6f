/** Overlapping windows over a canvas, whose weights add up to one everywhere. */
import { UserError } from '../errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Size } from './canvas.ts';
import type { Model } from './model.ts';

/** How a canvas is cut up. */
export interface Tiling {
  /** Sides of a window, in pixels. */
  readonly window: Size;
  /** Pixels that neighbours share at the least; less than a window's sides. */
  readonly overlap: number;
}

/** Sides that models of unknown size are given; the default prior takes 0.5 GB for it. */
const anySide = 256;

/**
 * How a model cuts up images that are larger than its windows.
 * @param size sides of a window; the model's own, else what it was trained on or 256, if left out
 * @param overlap a quarter of a side if left out
 * @throws UserError for a size that the model does not take, or an overlap as large as a window
 */
export function tilingFor(
  { file, fixed, usualSide = anySide, card }: Model,
  { size, overlap }: { readonly size?: number | undefined; readonly overlap?: number | undefined },
): Tiling {
  const { multiple } = card;
  const side = size ?? Math.ceil(usualSide / multiple) * multiple;
  const window = fixed ?? { height: side, width: side };
  if (size !== undefined && (window.height !== size || window.width !== size))
    throw new UserError(
      `${file} takes ${window.width}×${window.height} only, and windows are to be ${size}×${size}`,
      { hint: 'let --tile be auto' },
    );
  if (side % multiple !== 0)
    throw new UserError(`${file}: windows of ${side}×${side} are no multiple of ${multiple}`, {
      hint: `the next larger size is --tile ${Math.ceil(side / multiple) * multiple}`,
    });
  const smaller = Math.min(window.height, window.width);
  if (overlap !== undefined && overlap >= smaller)
    throw new UserError(`windows of ${smaller} pixels cannot overlap by ${overlap}`, {
      hint: `give --tile-overlap less than ${smaller}; a quarter is usual`,
    });
  return { window, overlap: overlap ?? Math.floor(smaller / 4) };
}

/** Whether an image needs more than one window. */
export function exceeds({ height, width }: Size, { window }: Tiling): boolean {
  return height > window.height || width > window.width;
}

export interface Window {
  readonly top: number;
  readonly left: number;
  /** How much each of its pixels counts, `[height,width]`. */
  readonly weights: Float32Array;
}

/**
 * The fewest windows that cover a canvas, spread evenly, row by row. Weights fall off linearly
 * where neighbours overlap: a network knows least of what is at a window's border, and a
 * prediction that changes from one window to the next does so without a seam.
 * @param canvas at least as large as a window
 * @param unit that windows begin at multiples of, as the sides of canvas and windows are: pixels of
 * an image for one of its latent
 */
export function windowsOver(canvas: Size, { window, overlap }: Tiling, unit = 1): Window[] {
  const rows = along(canvas.height, window.height, overlap, unit);
  const columns = along(canvas.width, window.width, overlap, unit);
  return rows.flatMap((row) =>
    columns.map((column) => {
      const weights = new Float32Array(window.height * window.width);
      row.weights.forEach((v, y) =>
        column.weights.forEach((u, x) => (weights[y * window.width + x] = v * u)),
      );
      return { top: row.start, left: column.start, weights };
    }),
  );
}

/** Windows of an axis. */
function along(
  length: number,
  size: number,
  overlap: number,
  unit: number,
): { start: number; weights: number[] }[] {
  const count = 1 + Math.ceil((length - size) / (size - Math.min(overlap, size - 1)));
  const starts = Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : unit * Math.round((i * (length - size)) / (count - 1) / unit),
  );
  const raw = starts.map((start, i) => {
    const before = i === 0 ? 0 : (starts[i - 1] as number) + size - start;
    const after = i === count - 1 ? 0 : start + size - (starts[i + 1] as number);
    return Array.from({ length: size }, (_, u) => {
      const rise = before === 0 ? 1 : Math.min(1, (u + 0.5) / before);
      const fall = after === 0 ? 1 : Math.min(1, (size - u - 0.5) / after);
      return Math.min(rise, fall);
    });
  });
  const total = new Array<number>(length).fill(0);
  raw.forEach((weights, i) =>
    weights.forEach((w, u) => ((total[(starts[i] as number) + u] as number) += w)),
  );
  return raw.map((weights, i) => {
    const start = starts[i] as number;
    return { start, weights: weights.map((w, u) => w / (total[start + u] as number)) };
  });
}

/** The part of `[N,C,H,W]` under a window; weighted where `weighted` says so. */
export function cut(
  canvas: Tensor,
  { top, left, weights }: Window,
  size: Size,
  weighted = false,
): Tensor {
  const [n = 0, c = 0, height = 0, width = 0] = canvas.shape;
  const data = new Float32Array(n * c * size.height * size.width);
  for (let plane = 0; plane < n * c; plane++)
    for (let y = 0; y < size.height; y++) {
      const from = (plane * height + top + y) * width + left;
      const to = (plane * size.height + y) * size.width;
      for (let x = 0; x < size.width; x++)
        data[to + x] = canvas.data[from + x]! * (weighted ? weights[y * size.width + x]! : 1);
    }
  return tensor([n, c, size.height, size.width], data);
}

/** Adds a window's values to the canvas `[N,C,H,W]`; weighted where `weighted` says so. */
export function paste(
  canvas: Tensor,
  values: Tensor,
  { top, left, weights }: Window,
  weighted = false,
): void {
  const [n = 0, c = 0, height = 0, width = 0] = canvas.shape;
  const [, , h = 0, w = 0] = values.shape;
  for (let plane = 0; plane < n * c; plane++)
    for (let y = 0; y < h; y++) {
      const to = (plane * height + top + y) * width + left;
      const from = (plane * h + y) * w;
      for (let x = 0; x < w; x++)
        canvas.data[to + x]! += values.data[from + x]! * (weighted ? weights[y * w + x]! : 1);
    }
}
