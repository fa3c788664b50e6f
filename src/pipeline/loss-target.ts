/** What a loss wants, from what a user has: a picture, values, labels, a colour, a text. */
import { UserError } from '../errors.ts';
import { isFile } from '../files/read.ts';
import { fit } from '../image/fit.ts';
import { readImage } from '../image/read.ts';
import { resizeLanczos } from '../image/resize.ts';
import { targetGraph, type View } from '../losses/compared.ts';
import type { ImageShape } from '../operators/operator.ts';
import { openGraph } from '../session/session.ts';
import { firstNonFinite } from '../tensor/batch.ts';
import { readNpy } from '../tensor/npy.ts';
import { sameShape, showShape, sizeOf, tensor, type Tensor } from '../tensor/tensor.ts';
import { readLabels } from './loss-labels.ts';
import type { LoadedLoss } from './loss-view.ts';
import { embedText } from './text-tower.ts';

/**
 * The targets of a loss on images of a shape, without a batch axis.
 * @param target a file, `#rrggbb` for `color`, or a text for `text`
 * @throws UserError for a target that is missing, of the wrong size, or not finite
 */
export async function targetsOf(
  loaded: LoadedLoss,
  view: View,
  image: ImageShape,
  target: string | undefined,
): Promise<Tensor[]> {
  const { spec, row, distance, network } = loaded;
  const { kind } = spec;
  if (target === undefined) {
    if (row.target === 'values' && network?.inputs.length === 1) return [];
    throw new UserError(`${kind}: a target is needed`, {
      hint: `add --target ${wants[row.target]}`,
    });
  }
  if (row.target === 'values') return [finite(await readNpyOrImage(target, image), target)];
  const graph = await targetGraph(view, image);
  if (distance === 'cross-entropy') {
    const [, classes = 0] = graph.outputs[0]?.shape ?? [];
    return [await readLabels(target, image, classes)];
  }
  const expected = graph.outputs.map(({ shape }) => shape.slice(1));
  if (isNpy(target)) {
    const values = finite(await readNpy(target), target);
    const [only] = expected;
    if (expected.length === 1 && only && sameShape(bare(values.shape), bare(only)))
      return [tensor(only, values.data)];
    if (!sameShape(bare(values.shape), image))
      throw new UserError(
        `${target}: ${showShape(values.shape)}, expected ${expected.map(showShape).join(' and ')} for ${kind}, or an image ${showShape(image)}`,
      );
    return made(graph, tensor(image, values.data));
  }
  if (row.target === 'text' && !isPicture(target)) {
    const embedding = await embedText(spec, target);
    const [D = 0] = expected[0] ?? [];
    if (embedding.data.length !== D)
      throw new UserError(
        `text: the embedding of the text has ${embedding.data.length} values, that of the image ${D}`,
        { hint: 'image and text tower must be of the same model' },
      );
    return [tensor([D], embedding.data)];
  }
  const flat = row.target === 'color' ? flatColor(target, image) : undefined;
  if (!flat && target.startsWith('#') && row.target === 'color' && !isFile(target))
    throw new UserError(`${target}: no colour for images of ${image[0]} channels, and no file`, {
      hint: 'colours are #rrggbb, as in #ff8800, of images with three channels',
    });
  return made(graph, flat ?? covering((await readImage(target)).image, image, target));
}

const wants = {
  image: 'FILE, a picture or .npy',
  labels: 'FILE, a label map (or a picture, with distance=l2)',
  text: 'TEXT, or the .npy of its embedding',
  color: 'FILE, or a colour such as #ff8800',
  values: 'FILE',
} as const;

async function made(
  graph: Awaited<ReturnType<typeof targetGraph>>,
  image: Tensor,
): Promise<Tensor[]> {
  const session = await openGraph(graph);
  try {
    const found = await session.run({ image: tensor([1, ...image.shape], image.data) });
    return graph.outputs.map(({ name }) => {
      const { shape, data } = found[name] as Tensor;
      return finite(tensor(shape.slice(1), data), `${graph.name}: what it says of the target`);
    });
  } finally {
    await session.release();
  }
}

/** The middle of a picture, as large as it goes in the proportions of `image`, at its size. */
function covering(picture: Tensor, [channels, height, width]: ImageShape, where: string): Tensor {
  const [c = 0, h = 0, w = 0] = picture.shape;
  if (c !== channels)
    throw new UserError(`${where}: the target has ${c} channels, the images ${channels}`);
  const scale = Math.min(h / height, w / width);
  const part = {
    height: Math.max(1, Math.min(h, Math.round(height * scale))),
    width: Math.max(1, Math.min(w, Math.round(width * scale))),
  };
  return resizeLanczos(fit(picture, part, 'crop'), height, width);
}

function flatColor(text: string, [channels, height, width]: ImageShape): Tensor | undefined {
  const [, hex] = /^#([0-9a-f]{6})$/i.exec(text) ?? [];
  if (hex === undefined || channels !== 3) return undefined;
  const values = [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16) / 127.5 - 1);
  const area = height * width;
  const data = Float32Array.from({ length: 3 * area }, (_, i) => values[Math.floor(i / area)] ?? 0);
  return tensor([3, height, width], data);
}

async function readNpyOrImage(target: string, image: ImageShape): Promise<Tensor> {
  if (isNpy(target)) return readNpy(target);
  return covering((await readImage(target)).image, image, target);
}

/** A file, or the name of one: a name that is mistyped is no text, and a folder's may be. */
function isPicture(target: string): boolean {
  return isFile(target) || /^\S+\.(png|jpe?g|webp|tiff?|avif|gif)$/i.test(target);
}

function isNpy(file: string): boolean {
  return file.toLowerCase().endsWith('.npy');
}

/** Without ones, which files have or lack as it happens. */
function bare(shape: readonly number[]): number[] {
  return shape.filter((d) => d !== 1);
}

function finite(values: Tensor, where: string): Tensor {
  const bad = firstNonFinite(values);
  if (bad < 0 && sizeOf(values.shape) > 0) return values;
  throw new UserError(
    bad < 0
      ? `${where}: empty`
      : `${where}: expected finite values, got ${values.data[bad]} at index ${bad}`,
  );
}
