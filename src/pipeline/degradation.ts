/** Degradations with their parameters, and the files that masks and kernels come in. */
import { UserError } from '../errors.ts';
import { readImage } from '../image/read.ts';
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

/**
 * A mask `[1,H,W]` of 0 and 1 from an image (the mean of its channels) or a .npy file of `[H,W]`
 * with or without leading ones: what is at least half of white, or 0.5, is kept.
 * @throws UserError if the file is neither
 */
export async function readMask(file: string): Promise<Tensor> {
  if (file.toLowerCase().endsWith('.npy')) {
    const { height, width, data } = plane(await readNpy(file), file, 'a mask');
    return tensor(
      [1, height, width],
      data.map((v) => Number(v >= 0.5)),
    );
  }
  const { height, width, data } = meanChannel((await readImage(file)).image);
  return tensor(
    [1, height, width],
    data.map((v) => Number(v >= 0)),
  );
}

/**
 * A blur kernel `[k_h,k_w]`: a .npy file of that shape, with or without leading ones, is taken as
 * it is; the values of an image, black being 0, are scaled to sum 1.
 * @throws UserError if the file is neither, or an image is black
 */
export async function readKernel(file: string): Promise<Tensor> {
  if (file.toLowerCase().endsWith('.npy')) {
    const { height, width, data } = plane(await readNpy(file), file, 'a kernel');
    return tensor([height, width], data);
  }
  const { height, width, data } = meanChannel((await readImage(file)).image);
  const sum = data.reduce((s, v) => s + (v + 1) / 2, 0);
  if (!(sum > 0)) throw new UserError(`${file}: a black image is no blur kernel`);
  return tensor(
    [height, width],
    data.map((v) => (v + 1) / 2 / sum),
  );
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
