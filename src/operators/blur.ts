/** Blurring: a Gaussian, or any kernel from a file. */
import { createHash } from 'node:crypto';
import { UserError } from '../errors.ts';
import { separable } from '../onnx/separable.ts';
import { firstNonFinite } from '../tensor/batch.ts';
import { filterMatrix, reflect } from '../tensor/filter.ts';
import { showShape, type Tensor } from '../tensor/tensor.ts';
import { kernelSpectrum, separableSpectrum } from './cosine.ts';
import type { ImageShape, Operator } from './operator.ts';

/** Beyond this many standard deviations the published code's Gaussian is zero. */
const truncation = 4;

/**
 * Taps of the one-dimensional Gaussian: truncated at 4σ and at the window, sum 1.
 * @param size odd window length; @param std σ in pixels
 */
export function gaussianTaps(size: number, std: number): Float64Array {
  const radius = Math.min(Math.floor(truncation * std + 0.5), (size - 1) / 2);
  const taps = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - radius) / std) ** 2),
  );
  const sum = taps.reduce((s, t) => s + t, 0);
  return taps.map((t) => t / sum);
}

/**
 * Gaussian blur with reflection padding, one channel at a time (DPS, DSG: size 61, std 3).
 * @param size odd window; @param std standard deviation in pixels, above 0
 * @throws UserError for another size or deviation
 */
export function gaussianBlur({ size, std }: { size: number; std: number }): Operator {
  if (!Number.isInteger(size) || size < 1 || size % 2 === 0)
    throw new UserError(`blur: kernel size ${size} is not an odd number of pixels`);
  if (!(std > 0)) throw new UserError(`blur: standard deviation ${std} is not above 0`);
  const weights = gaussianTaps(size, std);
  const radius = (weights.length - 1) / 2;
  const matrix = (n: number) =>
    filterMatrix(
      n,
      n,
      (i) => Array.from(weights, (weight, j) => ({ at: i + j - radius, weight })),
      reflect,
    );
  return {
    name: 'deblur',
    signature: `gaussian-${size}-${std}`,
    parameters: {},
    measured: (image) => fitting(image, [radius, radius]),
    restored: (image) => image,
    A(b, x) {
      const [, , h = 0, w = 0] = x.shape;
      return separable(b, x, matrix(h), matrix(w));
    },
    spectrum(b, residual) {
      const [, , h = 0, w = 0] = residual.shape;
      return separableSpectrum(b, residual, matrix(h), matrix(w));
    },
  };
}

/**
 * Blur with any kernel, applied as the published code applies it: as a correlation (the kernel is
 * not flipped), with reflection padding, one channel at a time.
 * @param kernel `[k_h, k_w]` with odd sides; it is used as it is, so scale it to sum 1 beforehand
 * @throws UserError for even sides, values that are not finite, or nothing but zeros
 */
export function kernelBlur({ kernel }: { kernel: Tensor }): Operator {
  const [kh = 0, kw = 0] = kernel.shape;
  if (kernel.shape.length !== 2 || kh % 2 === 0 || kw % 2 === 0)
    throw new UserError(`blur: a kernel has two odd sides, this one is ${showShape(kernel.shape)}`);
  const bad = firstNonFinite(kernel);
  if (bad >= 0)
    throw new UserError(
      `blur: expected a kernel of finite values, got ${kernel.data[bad]} at index ${bad}`,
    );
  if (kernel.data.every((v) => v === 0))
    throw new UserError('blur: the kernel is zero everywhere, and so would every measurement be');
  const [ry, rx] = [(kh - 1) / 2, (kw - 1) / 2];
  const digest = createHash('sha256').update(kernel.data).digest('hex').slice(0, 16);
  return {
    name: 'deblur',
    signature: `kernel-${kh}x${kw}-${digest}`,
    parameters: {},
    measured: (image) => fitting(image, [ry, rx]),
    restored: (image) => image,
    A(b, x) {
      const [n = 1, c = 1, h = 1, w = 1] = x.shape;
      const planes = b.reshape(x, [n * c, 1, h, w]);
      const pads = b.ints([0, 0, ry, rx, 0, 0, ry, rx]);
      const padded = b.op('Pad', [planes, pads], { mode: 'reflect' });
      const taps = b.constant(kernel.data, 'float32', [1, 1, kh, kw]);
      return b.reshape(b.op('Conv', [padded, taps], { kernel_shape: [kh, kw] }), x.shape);
    },
    spectrum: (b, residual) => kernelSpectrum(b, residual, kernel),
  };
}

/** Reflection reads pixels beyond the edge, which must exist on the other side of it. */
function fitting(image: ImageShape, [ry, rx]: readonly [number, number]): ImageShape {
  const [, h, w] = image;
  if (h <= ry || w <= rx)
    throw new UserError(
      `blur: an image of ${w}×${h} is too small for a kernel that reaches ${Math.max(rx, ry)} pixels`,
      { hint: 'use a smaller kernel, or larger images' },
    );
  return image;
}
