/** A sequence of images as an animated WebP. */

import sharp from 'sharp';
import { writeAtomic } from '../files/atomic.ts';
import { stack } from '../tensor/batch.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { refuseBeyondWebp, toBytes } from './write.ts';

/** Frames are for watching: at this quality noisy ones cost a fifth of their lossless size. */
const QUALITY = 90;

/**
 * Writes frames [3,H,W] of one shape in [-1,1] as a WebP that loops, each shown for `delayMs`.
 * Frames in a row that look alike become one, shown for as long as they would be together.
 * @throws UserError if the file cannot be written, or the frames are too large for WebP.
 */
export async function writeAnimation(
  path: string,
  frames: readonly Tensor[],
  delayMs: number,
): Promise<void> {
  const [count = 0, , height = 0, width = 0] = stack(frames).shape;
  refuseBeyondWebp(height, width);
  const raw = { width, height: count * height, channels: 3, pageHeight: height } as const;
  const bytes = await sharp(Buffer.concat(frames.map(toBytes)), { raw })
    .webp({ quality: QUALITY, loop: 0, delay: frames.map(() => delayMs) })
    .toBuffer();
  await writeAtomic(path, bytes);
}
