/** What of an image is compared: its luma, and its inside. */

import { UserError } from '../errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/**
 * The Y channel [1,H,W] of an image [3,H,W], both in [-1,1], by ITU-R BT.601 with the studio swing:
 * Y = 16 + 65.481 R + 128.553 G + 24.966 B of 255, for R, G, B from 0 to 1. This is MATLAB's
 * rgb2ycbcr, which super-resolution articles measure on; it is not rounded. The image is clipped.
 */
export function luma({ shape, data }: Tensor): Tensor {
  const [, height = 0, width = 0] = shape;
  const area = height * width;
  const at = (i: number): number => (Math.min(1, Math.max(-1, data[i]!)) + 1) / 2;
  const y = new Float32Array(area);
  for (let i = 0; i < area; i++)
    y[i] = (16 + 65.481 * at(i) + 128.553 * at(area + i) + 24.966 * at(2 * area + i)) / 127.5 - 1;
  return tensor([1, height, width], y);
}

/**
 * An image [C,H,W] without `border` pixels at each edge.
 * @throws UserError if nothing is left
 */
export function withoutBorder(image: Tensor, border: number): Tensor {
  if (border === 0) return image;
  const [channels = 0, height = 0, width = 0] = image.shape;
  const [rows, columns] = [height - 2 * border, width - 2 * border];
  if (rows <= 0 || columns <= 0)
    throw new UserError(`a border of ${border} pixels leaves nothing of ${width}×${height}`);
  const data = new Float32Array(channels * rows * columns);
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < rows; y++) {
      const from = (c * height + y + border) * width + border;
      data.set(image.data.subarray(from, from + columns), (c * rows + y) * columns);
    }
  return tensor([channels, rows, columns], data);
}
