/** Images in [-1,1] into lossless files. */

import sharp from 'sharp';
import { UserError } from '../errors.ts';
import { writeAtomic } from '../files/atomic.ts';
import type { ImageFormat } from './formats.ts';
import { encodeNpy } from '../tensor/npy.ts';
import { showShape, type Tensor } from '../tensor/tensor.ts';

/**
 * Writes an image [3,H,W] atomically, without loss: clipped to [-1,1] and rounded to 8 bits, or as
 * it is in float32 for npy, in any shape. `description` goes into the file's XMP metadata (npy has none).
 * @throws UserError if the file cannot be written, and as `encodeImage` does.
 */
export async function writeImage(
  path: string,
  image: Tensor,
  format: ImageFormat,
  description?: string,
): Promise<void> {
  await writeAtomic(path, await encodeImage(image, format, description));
}

/**
 * The bytes of the file that `writeImage` writes.
 * @throws UserError if the format has no images so large; but for npy, for another shape or a NaN
 */
export async function encodeImage(
  image: Tensor,
  format: ImageFormat,
  description?: string,
): Promise<Uint8Array> {
  if (format === 'npy') return encodeNpy(image);
  const [, height = 0, width = 0] = image.shape;
  const file = sharp(toBytes(image), { raw: { width, height, channels: 3 } });
  if (description !== undefined) file.withXmp(xmp(description));
  switch (format) {
    case 'png':
      return file.png().toBuffer();
    case 'webp':
      refuseBeyondWebp(height, width);
      return file.webp({ lossless: true }).toBuffer();
    case 'tiff':
      return file.tiff({ compression: 'deflate', predictor: 'horizontal' }).toBuffer();
  }
}

/** @throws UserError for sides that WebP has no bits for */
export function refuseBeyondWebp(height: number, width: number): void {
  if (Math.max(height, width) > 16383)
    throw new UserError(`${width}×${height} pixels: a WebP has 16383 on a side at most`, {
      hint: 'write PNG, TIFF or .npy instead',
    });
}

/**
 * The interleaved 8-bit samples of an image [3,H,W], clipped to [-1,1].
 * @throws UserError for another shape, or a NaN, which would pass for black.
 */
export function toBytes({ shape, data }: Tensor): Buffer {
  if (shape.length !== 3 || shape[0] !== 3)
    throw new UserError(`expected an image [3,H,W], got ${showShape(shape)}`, {
      hint: 'other shapes can be written as .npy',
    });
  const area = data.length / 3;
  const bytes = new Uint8ClampedArray(data.length);
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < area; i++) {
      const v = data[c * area + i]!;
      if (Number.isNaN(v))
        throw new UserError(`expected an image in [-1,1], got NaN at index ${c * area + i}`);
      bytes[i * 3 + c] = (v + 1) * 127.5;
    }
  return Buffer.from(bytes.buffer);
}

/** An XMP packet with one Dublin Core description. */
function xmp(description: string): string {
  const text = description.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">' +
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description>' +
    `<rdf:Alt><rdf:li xml:lang="x-default">${text}</rdf:li></rdf:Alt>` +
    '</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
  );
}
