/** Losses from specifications and targets, ready for images of any size. */
import { lossGraph } from '../guided/guided.ts';
import { comparedLoss } from '../losses/compared.ts';
import { lossesAt, weighted, type Loss } from '../losses/loss.ts';
import type { ImageShape } from '../operators/operator.ts';
import { lossNetworks } from './loss-network.ts';
import type { LossSpec } from './loss-spec.ts';
import { targetsOf } from './loss-target.ts';
import { loadLoss, viewOf, type LoadedLoss } from './loss-view.ts';

/** A loss and what it is to be small for. */
export interface Wish extends LossSpec {
  /** A file, `#rrggbb` for `color`, a text for `text`; a loss of kind `onnx` may have none. */
  readonly target?: string;
}

/** Losses that are the same for all images of a size. */
export interface WishedLosses {
  /** SHA-256 of each file of each loss's network, the network's own first; undefined without one. */
  readonly contents: readonly (readonly string[] | undefined)[];
  /**
   * @param image `[C,H,W]` of the images to come
   * @throws UserError for a target of another size, a network that does not take such images, or
   * one through which no gradient reaches them
   */
  of(image: ImageShape): Promise<readonly Loss[]>;
}

/**
 * Reads the networks of losses. Targets are read, and networks resolved, for each size of images
 * when it first occurs.
 * @throws UserError for a network that cannot be read, a layer that it does not have, or an option out
 * of range
 */
export async function loadLosses(wishes: readonly Wish[]): Promise<WishedLosses> {
  const networks = lossNetworks();
  const loaded = await Promise.all(wishes.map((wish) => loadLoss(wish, networks)));
  const known = new Map<string, Promise<readonly Loss[]>>();
  return {
    contents: loaded.map(({ network }) => network?.content),
    of(image) {
      const key = image.join();
      const losses =
        known.get(key) ??
        Promise.all(loaded.map((one, i) => lossOf(one, image, wishes[i]?.target)));
      known.set(key, losses);
      return losses;
    },
  };
}

async function lossOf(
  loaded: LoadedLoss,
  image: ImageShape,
  target: string | undefined,
): Promise<Loss> {
  const { spec, row, network } = loaded;
  const view = viewOf(loaded, image);
  const targets = await targetsOf(loaded, view, image, target);
  const loss = comparedLoss(view, targets, row.target === 'values');
  // Whether a gradient reaches the image is told here, by the loss's own name.
  const name = `${spec.kind}${network ? ` through ${network.name}` : ''}`;
  lossGraph(await lossesAt([loss], [1, ...image]), [1, ...image], { name });
  return spec.weight === undefined ? loss : weighted(loss, spec.weight);
}
