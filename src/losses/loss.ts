/** What a loss is: a scalar of x̂₀ for each image, as an ONNX subgraph. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Looks } from './looks.ts';

export interface Loss {
  /** Losses of the same signature differ in their parameters only, and share one graph. */
  readonly signature: string;
  /** What differs from image to image, without the batch axis: fed to the graph, not part of it. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** The operator set that `value` needs at the least; any will do if left out. */
  readonly opset?: number;
  /**
   * The loss with all that `value` needs for images of a shape, `[N,C,H,W]`: a network is resolved
   * for it. A loss without this function needs nothing.
   * @throws UserError for a network that does not take such images
   */
  readonly at?: (image: readonly number[]) => Promise<Loss>;
  /** Whether its gradient passes the clip of x̂₀, see `throughClip`; one such loss takes all with it. */
  readonly throughClip?: boolean;
  /**
   * Appends the loss of each image.
   * @param image `[N,C,H,W]` in [-1,1]
   * @param parameters `[N,...]`, one for each of `parameters`
   * @param seen what the image was cut from; of a latent model, its latent too
   * @returns `[N]`; images must not mix, so that the gradient of the sum is each image's own
   */
  value(
    b: GraphBuilder,
    image: Value,
    parameters: Readonly<Record<string, Value>>,
    seen: Seen,
  ): Value;
  /**
   * Appends how far the loss's gradient is to be followed, see `Reach`; its own length if left out.
   * @param image as `value` is given it
   * @param gradient the loss's at x_t, in the image's place
   * @param level of x_t
   * @returns `[N]`
   */
  readonly reach?: (
    b: GraphBuilder,
    at: { readonly image: Value; readonly gradient: Value },
    parameters: Readonly<Record<string, Value>>,
    level: { readonly signal: Value; readonly noise: Value },
  ) => Value;
}

/** What a network predicted, of which a loss is usually given the image alone. */
export interface Seen {
  /** x̂₀ of what the network takes: an image, or a latent `[N,C,h,w]`. */
  readonly x0: Value;
  /** `[N,C,H,W]`, decoded where x̂₀ is a latent. */
  readonly canvas: Value;
  /** Where on it the image begins. */
  readonly top: number;
  readonly left: number;
  /** √(1−ᾱ) of the x_t that x̂₀ was predicted from, a scalar; none where x̂₀ is what is looked for. */
  readonly noise?: Value | undefined;
  /** What other losses of the graph look at. */
  readonly looks: Looks;
}

/** Losses with what they need for images of a shape, `[N,C,H,W]`. */
export function lossesAt(losses: readonly Loss[], image: readonly number[]): Promise<Loss[]> {
  return Promise.all(losses.map((loss) => loss.at?.(image) ?? loss));
}

/** The operator set for a graph in which all of the losses are, or `otherwise` if that is newer. */
export function opsetFor(losses: readonly Loss[], otherwise: number): number {
  return Math.max(otherwise, ...losses.map((l) => l.opset ?? 0));
}

/**
 * The loss with a gradient that passes the clip of x̂₀ as if there were none, as in the
 * straight-through estimator of Bengio et al. 2013. The clip's own is 0 wherever x̂₀ leaves its
 * range, so an x̂₀ that is clipped everywhere, as at t = 999 it can be, is never bent again.
 */
export function throughClip(loss: Loss): Loss {
  const { at } = loss;
  return {
    ...loss,
    signature: `through clip*${loss.signature}`,
    throughClip: true,
    ...(at && { at: async (image) => throughClip(await at(image)) }),
  };
}

/** The loss times a number. */
export function weighted(loss: Loss, weight: number): Loss {
  // How far to follow a gradient is said of its own length.
  const { at, reach: _, ...rest } = loss;
  return {
    ...rest,
    signature: `${weight}*${loss.signature}`,
    ...(at && { at: async (image) => weighted(await at(image), weight) }),
    value: (b, image, parameters, seen) => b.scale(loss.value(b, image, parameters, seen), weight),
  };
}
