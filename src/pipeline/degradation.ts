/** Degradations with their parameters, and the files that masks and kernels come in. */
import { UserError } from '../errors.ts';
import { flattened, readImage } from '../image/read.ts';
import { gaussianBlur, kernelBlur } from '../operators/blur.ts';
import { inpainting } from '../operators/inpainting.ts';
import type { Operator } from '../operators/operator.ts';
import { superResolution } from '../operators/superresolution.ts';
import { readNpy } from '../tensor/npy.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** A degradation with all that defines it. */
export type Degradation =
  /** `[1,H,W]`, 1 keeps a pixel and 0 hides it. */
  | { readonly task: 'inpaint'; readonly mask: Tensor }
  | { readonly task: 'sr'; readonly scale: number }
  /** A Gaussian: odd window and standard deviation in pixels; or any kernel `[k_h,k_w]`. */
  | { readonly task: 'deblur'; readonly size: number; readonly std: number }
  | { readonly task: 'deblur'; readonly kernel: Tensor };

/** @throws UserError for a parameter out of range */
export function operatorOf(degradation: Degradation): Operator {
  switch (degradation.task) {
    case 'inpaint':
      return inpainting(degradation);
    case 'sr':
      return superResolution(degradation);
    case 'deblur':
      return 'kernel' in degradation ? kernelBlur(degradation) : gaussianBlur(degradation);
  }
}

/** A mask or kernel from a file. */
export interface ReadArray {
  readonly values: Tensor;
  /** What of the file was left out or may be meant otherwise, one sentence each without the path. */
  readonly notes: readonly string[];
}

/**
 * A mask `[1,H,W]` of 0 and 1 from an image (the mean of its channels) or a .npy file of `[H,W]`
 * with or without leading ones: what is at least half of white, or 0.5, is kept, but for pixels of
 * an image that are less than half opaque.
 * @throws UserError if the file is neither
 */
export async function readMask(file: string): Promise<ReadArray> {
  const { values, notes } = await (isArray(file) ? arrayMask(file) : imageMask(file));
  const kept = values.data.reduce((sum, v) => sum + v, 0);
  if (kept === 0) return { values, notes: [...notes, 'it keeps no pixel: only white is kept'] };
  if (kept < values.data.length) return { values, notes };
  return { values, notes: [...notes, 'it hides no pixel: only black is hidden'] };
}

async function arrayMask(file: string): Promise<ReadArray> {
  const { height, width, data } = plane(await readNpy(file), file, 'a mask');
  const values = tensor(
    [1, height, width],
    data.map((v) => Number(v >= 0.5)),
  );
  return { values, notes: [] };
}

async function imageMask(file: string): Promise<ReadArray> {
  const { image, alpha, notes } = await readImage(file);
  const { height, width, data } = meanChannel(image);
  // Flattened over 0, a colour stays on its side of it.
  const values = tensor(
    [1, height, width],
    data.map((v, i) => Number(v >= 0 && (alpha?.data[i] ?? 1) >= 0.5)),
  );
  const holes = 'its transparent pixels are hidden, as black ones are';
  return { values, notes: notes.map((note) => (note === flattened ? holes : note)) };
}

/**
 * A blur kernel `[k_h,k_w]`: a .npy file of that shape, with or without leading ones, is taken as
 * it is; the values of an image, black being 0, are scaled to sum 1.
 * @throws UserError if the file is neither, or an image is black
 */
export async function readKernel(file: string): Promise<ReadArray> {
  if (isArray(file)) {
    const { height, width, data } = plane(await readNpy(file), file, 'a kernel');
    const sum = data.reduce((s, v) => s + v, 0);
    const unusual = Math.abs(sum - 1) > 0.01 && `its values add up to ${sum.toPrecision(3)}, not 1`;
    return { values: tensor([height, width], data), notes: unusual ? [unusual] : [] };
  }
  const { image, notes } = await readImage(file);
  const { height, width, data } = meanChannel(image);
  const sum = data.reduce((s, v) => s + (v + 1) / 2, 0);
  if (!(sum > 0)) throw new UserError(`${file}: a black image is no blur kernel`);
  const values = tensor(
    [height, width],
    data.map((v) => (v + 1) / 2 / sum),
  );
  return { values, notes };
}

function isArray(file: string): boolean {
  return file.toLowerCase().endsWith('.npy');
}

function plane(
  { shape, data }: Tensor,
  file: string,
  what: string,
): { height: number; width: number; data: Float32Array } {
  const [height = 0, width = 0] = shape.slice(-2);
  if (shape.length < 2 || data.length === 0 || height * width !== data.length)
    throw new UserError(`${file}: expected ${what} of shape [H,W], got [${shape.join(',')}]`);
  const bad = data.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0)
    throw new UserError(`${file}: expected finite values, got ${data[bad]} at index ${bad}`);
  return { height, width, data };
}

function meanChannel({ shape, data }: Tensor): {
  height: number;
  width: number;
  data: Float32Array;
} {
  const [channels = 0, height = 0, width = 0] = shape;
  const mean = new Float32Array(height * width);
  data.forEach(
    (v, i) => (mean[i % mean.length] = (mean[i % mean.length] as number) + v / channels),
  );
  return { height, width, data: mean };
}
