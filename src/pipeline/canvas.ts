/** Images on the canvases that networks see: which size, and where. */
import { UserError } from '../errors.ts';
import type { Placement } from '../guided/guided.ts';
import type { ImageShape } from '../operators/operator.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Model } from './model.ts';
import { exceeds, type Tiling } from './windows.ts';

export interface Size {
  readonly height: number;
  readonly width: number;
}

/** `[C,H,W]` of what the network takes for a canvas of images: these, or their latents. */
export function seenShape({ channels, card }: Model, { height, width }: Size): ImageShape {
  const factor = card.latent?.factor ?? 1;
  return [channels, height / factor, width / factor];
}

/** Height and width of the same. */
export function seenSize(model: Model, canvas: Size): Size {
  const [, height, width] = seenShape(model, canvas);
  return { height, width };
}

/** Of the images that come of it in the end. */
export function imageChannels({ channels, card }: Pick<Model, 'channels' | 'card'>): number {
  return card.latent ? 3 : channels;
}

/** Sides of images where no model says any: of Stable Diffusion's, and of the others. */
const anySide = { latent: 512, pixels: 256 } as const;

/** The size of images where none is asked for: what the network takes, or what it was trained on. */
export function usualSize({ fixed, usualSide, card }: Model): Size {
  const side = usualSide ?? (card.latent ? anySide.latent : anySide.pixels);
  return fixed ?? { height: side, width: side };
}

/**
 * @param options what was given for the size
 * @throws UserError for another size than the one that the network takes
 */
export function refuseOtherSize(
  { file, fixed }: Model,
  { height, width }: Size,
  options: string,
): void {
  if (!fixed || (fixed.height === height && fixed.width === width)) return;
  throw new UserError(
    `${file} takes ${fixed.width}×${fixed.height} only, and ${width}×${height} is asked for`,
    { hint: `leave out ${options}` },
  );
}

/** How networks and images of other sizes come together. */
export interface Fitting {
  /** A network of a fixed size may see a smaller image, with a margin that nothing is known of. */
  readonly margin?: boolean | undefined;
  /** A network may see a larger image through windows. */
  readonly tiling?: Tiling | undefined;
}

/**
 * The size the network runs at for an image: its own if it is fixed, else the image's rounded up
 * to the network's multiple. An image that is seen through windows needs no other size than its own,
 * or one of whole latents, as long as a window fits into it.
 * @throws UserError if the network is fixed to a size that does not suit the image
 */
export function canvasFor(
  model: Model,
  image: Size,
  { margin = false, tiling }: Fitting = {},
): Size {
  const { fixed, card } = model;
  if (tiling && exceeds(image, tiling)) {
    const { window } = tiling;
    const narrow = image.height < window.height || image.width < window.width;
    if (fixed && narrow && !margin)
      throw new UserError(
        `${model.file} takes ${fixed.width}×${fixed.height} only, no window of which fits into ${image.width}×${image.height}`,
        { hint: 'add --fit pad' },
      );
    const { factor = 1 } = card.latent ?? {};
    const whole = (n: number): number => Math.ceil(n / factor) * factor;
    return {
      height: Math.max(whole(image.height), window.height),
      width: Math.max(whole(image.width), window.width),
    };
  }
  if (fixed) {
    const smaller = image.height <= fixed.height && image.width <= fixed.width;
    const larger = image.height >= fixed.height && image.width >= fixed.width;
    const same = image.height === fixed.height && image.width === fixed.width;
    if (!same && !(margin && smaller))
      throw new UserError(
        `${model.file} takes ${fixed.width}×${fixed.height} only, the image to restore is ${image.width}×${image.height}`,
        {
          hint: smaller
            ? 'add --fit pad or --fit resize'
            : larger
              ? 'add --fit crop or resize; dsg restore takes --tile auto as well'
              : 'add --fit resize',
        },
      );
    return fixed;
  }
  const up = (n: number): number => Math.ceil(n / card.multiple) * card.multiple;
  return { height: up(image.height), width: up(image.width) };
}

/** What the network sees of an image: a canvas, and the image in the middle of it. */
export function placementOf(
  model: Model,
  image: ImageShape,
  fitting?: Fitting,
): { canvas: Size; placed: Placement } {
  const [, height, width] = image;
  const canvas = canvasFor(model, { height, width }, fitting);
  const top = Math.floor((canvas.height - height) / 2);
  const left = Math.floor((canvas.width - width) / 2);
  return { canvas, placed: { image, top, left } };
}

/** The part of `[N,C,H,W]` canvases that the images take. */
export function cropBatch(batch: Tensor, { image, top, left }: Placement): Tensor {
  const [n = 0, c = 0, ch = 0, cw = 0] = batch.shape;
  const [, h, w] = image;
  if (h === ch && w === cw) return batch;
  const data = new Float32Array(n * c * h * w);
  for (let plane = 0; plane < n * c; plane++)
    for (let y = 0; y < h; y++) {
      const from = (plane * ch + top + y) * cw + left;
      data.set(batch.data.subarray(from, from + w), (plane * h + y) * w);
    }
  return tensor([n, c, h, w], data);
}
