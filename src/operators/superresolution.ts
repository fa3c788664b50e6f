/** Super-resolution: bicubic reduction by an integer factor. */
import { UserError } from '../errors.ts';
import { separable } from '../onnx/separable.ts';
import { separableSpectrum } from './cosine.ts';
import { cubic, filterMatrix, mirror, type Matrix } from '../tensor/filter.ts';
import type { Operator } from './operator.ts';

/**
 * The `[size/factor, size]` matrix of an antialiased bicubic reduction: the kernel is stretched by
 * the factor, weights sum to 1, and the signal is mirrored at its ends with the edge repeated, as
 * the resizer of the published DPS and DSG code does.
 */
export function reductionMatrix(size: number, factor: number): Matrix {
  const taps = (i: number): { at: number; weight: number }[] => {
    const centre = (i + 0.5) * factor - 0.5;
    const first = Math.ceil(centre - 2 * factor);
    const last = Math.floor(centre + 2 * factor);
    const raw = Array.from({ length: last - first + 1 }, (_, j) => ({
      at: first + j,
      weight: cubic((first + j - centre) / factor),
    }));
    const sum = raw.reduce((s, t) => s + t.weight, 0);
    return raw.map((t) => ({ at: t.at, weight: t.weight / sum }));
  };
  return filterMatrix(size, size / factor, taps, mirror);
}

/**
 * y = W_h x W_wᵀ, smaller by `scale` on each side.
 * @param scale integer factor of at least 2
 * @throws UserError for another
 */
export function superResolution({ scale }: { scale: number }): Operator {
  if (!Number.isInteger(scale) || scale < 2)
    throw new UserError(`super-resolution: scale ${scale} is not an integer of at least 2`);
  return {
    name: 'sr',
    signature: `sr-${scale}`,
    parameters: {},
    measured([c, h, w]) {
      if (h < scale || w < scale)
        throw new UserError(`super-resolution ×${scale}: an image of ${w}×${h} is too small`, {
          hint: 'use a smaller --scale, or a larger image',
        });
      if (h % scale !== 0 || w % scale !== 0)
        throw new UserError(
          `super-resolution ×${scale}: an image of ${w}×${h} does not divide by ${scale}`,
          { hint: `crop it to ${w - (w % scale)}×${h - (h % scale)} (--fit crop)` },
        );
      return [c, h / scale, w / scale];
    },
    restored: ([c, h, w]) => [c, h * scale, w * scale],
    A(b, x) {
      const [, , h = 0, w = 0] = x.shape;
      return separable(b, x, reductionMatrix(h, scale), reductionMatrix(w, scale));
    },
    spectrum(b, residual) {
      const [, , h = 0, w = 0] = residual.shape;
      const matrix = (n: number): Matrix => reductionMatrix(n * scale, scale);
      return separableSpectrum(b, residual, matrix(h), matrix(w));
    },
  };
}
