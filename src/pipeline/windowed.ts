/** The network behind a sampler, where it sees one window of the image at a time. */
import { ports } from '../guided/guided.ts';
import { blendedGraph, windowGradientGraph, windowGraph, windowPorts } from '../guided/windowed.ts';
import { openGraph, type Session } from '../session/session.ts';
import { zeros, type Tensor } from '../tensor/tensor.ts';
import {
  denoised,
  levelFeed,
  once,
  parametersOf,
  stackFeeds,
  timestepFeed,
  type Denoiser,
  type DenoiserInput,
} from './denoiser.ts';
import { graphFor } from './model.ts';
import { cut, paste, windowsOver, type Tiling } from './windows.ts';

type Tensors = Readonly<Record<string, Tensor>>;

export interface WindowedInput extends DenoiserInput {
  readonly tiling: Tiling;
}

/**
 * Blends the predictions of overlapping windows, under losses of the whole image. Memory is that of
 * one window. A guided step takes a forward pass more than without windows: a window is
 * differentiated once the gradient at the blended ε is known, and by then its activations are gone.
 */
export function openWindowedDenoiser(input: WindowedInput): Denoiser {
  const { model, like, batch, canvas, placement, session, tiling } = input;
  const { card } = model;
  const shape = [batch, model.channels, canvas.height, canvas.width];
  const windows = windowsOver(canvas, tiling);
  const graph = once(() => graphFor(model, batch, tiling.window, like.condition?.given));
  const aim = { losses: like.losses, placement };
  const sessions = {
    window: once(async () => openGraph(windowGraph(await graph(), card), session)),
    gradient: once(async () => openGraph(windowGradientGraph(await graph(), card), session)),
    plain: once(() => openGraph(blendedGraph(shape, card), session)),
    guided: once(() => openGraph(blendedGraph(shape, card, aim), session)),
  };

  /** Every window's ε, blended; and its raw variance. */
  async function predict(network: Session, x: Tensor, fed: Tensors): Promise<Tensors> {
    const blended: Record<string, Tensor> = {};
    for (const window of windows) {
      const seen = await network.run({ ...fed, [card.inputs.x]: cut(x, window, tiling.window) });
      for (const [name, value] of Object.entries(seen))
        paste((blended[name] ??= zeros(shape)), value, window, true);
    }
    return blended;
  }

  /** Adds what the gradient at the blended ε makes of the gradient at x, window by window. */
  async function backward(
    network: Session,
    x: Tensor,
    fed: Tensors,
    atEps: Tensor,
    gradient: Tensor,
  ): Promise<void> {
    for (const window of windows) {
      const { [ports.gradient]: found } = await network.run({
        ...fed,
        [card.inputs.x]: cut(x, window, tiling.window),
        [windowPorts.epsGradient]: cut(atEps, window, tiling.window, true),
      });
      paste(gradient, found as Tensor, window);
    }
  }

  return {
    bind(subjects) {
      const conditions = stackFeeds(subjects.map((s) => s.condition?.given ?? {}));
      const given = parametersOf(subjects.map((s) => s.losses));
      return async (x, step, want) => {
        const level = levelFeed(step);
        const fed = { ...timestepFeed(model, batch, step.timestep), ...level, ...conditions };
        const predicted = await predict(await sessions.window(), x, fed);
        const whole = {
          [windowPorts.x]: x,
          [ports.eps]: predicted[ports.eps] as Tensor,
          ...level,
        };
        if (!want.gradient) {
          const out = await (await sessions.plain()).run(whole);
          return denoised({ ...predicted, ...out });
        }
        const out = await (await sessions.guided()).run({ ...whole, ...given });
        const { [windowPorts.epsGradient]: atEps, [ports.gradient]: gradient } = out;
        await backward(await sessions.gradient(), x, fed, atEps as Tensor, gradient as Tensor);
        return denoised({ ...predicted, ...out });
      };
    },
    async release() {
      for (const opened of Object.values(sessions)) await (await opened.started())?.release();
    },
  };
}
