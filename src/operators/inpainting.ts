/** Inpainting: some pixels are measured, the others are hidden. */
import { UserError } from '../errors.ts';
import { showShape, tensor, type Tensor } from '../tensor/tensor.ts';
import { uniforms, type NoiseKey } from '../tensor/noise.ts';
import type { Operator } from './operator.ts';

/**
 * y = mask · x, one mask for all channels.
 * @param mask `[1,H,W]`, 1 keeps a pixel and 0 hides it
 * @throws UserError for another shape or another value
 */
export function inpainting({ mask }: { mask: Tensor }): Operator {
  const [channels, h = 0, w = 0] = mask.shape;
  if (mask.shape.length !== 3 || channels !== 1)
    throw new UserError(`mask: expected [1,H,W], got ${showShape(mask.shape)}`);
  const odd = mask.data.find((v) => v !== 0 && v !== 1);
  if (odd !== undefined) throw new UserError(`mask: ${odd} is neither 0 (hidden) nor 1 (kept)`);
  return {
    name: 'inpaint',
    signature: 'inpaint',
    parameters: { mask },
    measured(image) {
      const [, ih, iw] = image;
      if (ih !== h || iw !== w)
        throw new UserError(`mask: ${w}×${h}, but the image is ${iw}×${ih}`, {
          hint: 'a mask has the size of the image',
        });
      return image;
    },
    restored: (image) => image,
    A: (b, x, parameters) => b.mul(x, parameters['mask'] as typeof x),
    spectrum: (_, residual, parameters) => ({
      coordinates: residual,
      power: parameters['mask'] as typeof residual,
    }),
  };
}

/**
 * Hides a random fraction p ~ U(0.3, 0.7) of the pixels: exactly ⌊HWp⌋ of them.
 * @returns `[1,H,W]`
 */
export function randomMask(h: number, w: number, key: NoiseKey): Tensor {
  const n = h * w;
  const [first = 0, ...draws] = uniforms(key, 'mask', 0, n + 1);
  const hidden = Math.floor(n * (0.3 + 0.4 * first));
  // Sorting by independent draws is a uniformly random order, without replacement.
  const order = Array.from(draws.keys()).sort(
    (i, j) => (draws[i] as number) - (draws[j] as number) || i - j,
  );
  const mask = new Float32Array(n).fill(1);
  for (const i of order.slice(0, hidden)) mask[i] = 0;
  return tensor([1, h, w], mask);
}

/**
 * Hides a box of half the image's side at a random place, at least 16/256 of the side from the
 * edge (128 and 16 pixels at 256×256).
 * @returns `[1,H,W]`
 */
export function boxMask(h: number, w: number, key: NoiseKey): Tensor {
  const [u = 0, v = 0] = uniforms(key, 'mask', 0, 2);
  const place = (size: number, draw: number): { start: number; length: number } => {
    const length = Math.floor(size / 2);
    const margin = Math.floor(size / 16);
    return { start: margin + Math.floor(draw * (size - length - 2 * margin)), length };
  };
  const [rows, columns] = [place(h, u), place(w, v)];
  const mask = new Float32Array(h * w).fill(1);
  for (let y = rows.start; y < rows.start + rows.length; y++)
    mask.fill(0, y * w + columns.start, y * w + columns.start + columns.length);
  return tensor([1, h, w], mask);
}
