/** Label maps: which class every pixel is to be of. */
import sharp from 'sharp';
import { UserError } from '../errors.ts';
import { readBytes } from '../files/read.ts';
import type { ImageShape } from '../operators/operator.ts';
import { decodeNpy } from '../tensor/npy.ts';
import { showShape, tensor, type Tensor } from '../tensor/tensor.ts';

/** In 8 bits, the label that says nothing: the convention of Cityscapes and Pascal VOC. */
const unlabelled = 255;

/**
 * Labels `[H,W]` of 0 to classes−1, and −1 where there is none: a .npy file, in which negative
 * values and 255 are none, or an image of 8 bits whose grey values are labels.
 * @throws UserError for another size than the images', another depth, or a class that the network
 * does not have
 */
export async function readLabels(
  file: string,
  [, height, width]: ImageShape,
  classes: number,
): Promise<Tensor> {
  const bytes = await readBytes(file);
  const { shape, data } = file.toLowerCase().endsWith('.npy')
    ? decodeNpy(bytes, file)
    : await decodeIndices(bytes, file);
  const [h = 0, w = 0] = shape.slice(-2);
  if (h !== height || w !== width || h * w !== data.length)
    throw new UserError(
      `${file}: a label map ${showShape(shape)}, expected ${showShape([height, width])}, the size of the images`,
      { hint: 'resize it without interpolation, or make images of its size' },
    );
  const labels = data.map((v) => (v < 0 || v === unlabelled ? -1 : v));
  const odd = labels.findIndex((v) => !Number.isInteger(v) || v >= classes);
  if (odd >= 0)
    throw new UserError(
      `${file}: label ${labels[odd]} at row ${Math.floor(odd / w)}, column ${odd % w}; the network knows 0 to ${classes - 1}`,
      { hint: 'labels are whole numbers; 255 and negative ones do not count' },
    );
  if (labels.every((v) => v < 0)) throw new UserError(`${file}: no pixel has a label`);
  return tensor([h, w], labels);
}

/** The grey values as they are stored: no colour management, which would change labels. */
async function decodeIndices(bytes: Buffer, file: string): Promise<Tensor> {
  const read = async (): Promise<{ pixels: Tensor; bits: number }> => {
    const { depth, bitsPerSample = depth === 'uchar' ? 8 : 16 } = await sharp(bytes).metadata();
    const { data, info } = await sharp(bytes, { ignoreIcc: true })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    const pixels = tensor([height, width, channels], Float32Array.from(data));
    return { pixels, bits: bitsPerSample };
  };
  const { pixels, bits } = await read().catch((cause: unknown) => {
    throw new UserError(`${file}: not an image, or a damaged one`, { cause });
  });
  const { shape, data } = pixels;
  const [height = 0, width = 0, channels = 1] = shape;
  const grey = data.every((v, i) => v === data[i - (i % channels)]);
  if (!grey)
    throw new UserError(`${file}: in colour, expected grey values that are labels`, {
      hint: 'save labels as a grey PNG or .npy; for a picture instead of labels, add distance=l2',
    });
  // Of other depths, the values come spread over the range of a byte.
  if (bits !== 8)
    throw new UserError(`${file}: a label map of ${bits} bits a pixel, expected 8`, {
      hint: 'save it as a grey PNG of 8 bits, or as .npy',
    });
  return tensor(
    [height, width],
    data.filter((_, i) => i % channels === 0),
  );
}
