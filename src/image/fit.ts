/** Images brought to the size that a model takes. */

import { UserError } from '../errors.ts';
import { zeros, type Tensor } from '../tensor/tensor.ts';
import { resizeLanczos } from './resize.ts';

export const FIT_MODES = ['crop', 'pad', 'resize'] as const;

export type FitMode = (typeof FIT_MODES)[number];

export interface Size {
  readonly height: number;
  readonly width: number;
}

/**
 * An image [C,H,W] in [-1,1] brought to `size`:
 * - `crop`: its centre;
 * - `pad`: reflected at the border (not repeating the edge), or, along an axis too short for that,
 *   with the edge repeated; `crop` to the former size undoes it exactly;
 * - `resize`: Lanczos, the aspect ratio not kept.
 * @throws UserError if it is too small to crop or too large to pad.
 */
export function fit(image: Tensor, size: Size, mode: FitMode): Tensor {
  const [, height = 0, width = 0] = image.shape;
  if (height === size.height && width === size.width) return image;
  if (mode === 'resize') return resizeLanczos(image, size.height, size.width);
  const short = height < size.height || width < size.width;
  const long = height > size.height || width > size.width;
  if (mode === 'crop' ? short : long) {
    const other = mode === 'crop' ? 'pad' : 'crop';
    throw new UserError(
      `cannot ${mode} an image of ${height}x${width} to ${size.height}x${size.width} (height x width)`,
      { hint: short && long ? 'resize it instead' : `${other} or resize it instead` },
    );
  }
  return take(image, sources(height, size.height), sources(width, size.width));
}

/** For every position along an axis of the result, the position that it shows. */
function sources(oldSize: number, size: number): Int32Array {
  const before = Math.floor(Math.abs(size - oldSize) / 2);
  if (size <= oldSize) return Int32Array.from({ length: size }, (_, i) => i + before);
  const last = oldSize - 1;
  const reflects = size - oldSize - before <= last;
  return Int32Array.from({ length: size }, (_, i) => {
    const at = i - before;
    return reflects ? last - Math.abs(last - Math.abs(at)) : Math.min(last, Math.max(0, at));
  });
}

/** The pixels of given rows and columns, in every channel. */
function take(image: Tensor, rows: Int32Array, columns: Int32Array): Tensor {
  const [channels = 0, height = 0, width = 0] = image.shape;
  const out = zeros([channels, rows.length, columns.length]);
  let at = 0;
  for (let c = 0; c < channels; c++)
    for (const y of rows)
      for (const x of columns) out.data[at++] = image.data[(c * height + y) * width + x]!;
  return out;
}
