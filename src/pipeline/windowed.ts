/** The network behind a sampler, where it sees one window of the image at a time. */
import { ports } from '../guided/guided.ts';
import { windowPorts } from '../guided/windowed.ts';
import type { Session } from '../session/session.ts';
import { zeros, type Tensor } from '../tensor/tensor.ts';
import { seenShape, seenSize } from './canvas.ts';
import { denoised, type Denoiser, type DenoiserInput } from './denoiser.ts';
import { openBlended, openBlendedGuided, openWindow, openWindowGradient } from './derivations.ts';
import { levelFeed, parametersOf } from './feeds.ts';
import { openForms } from './forms.ts';
import { once } from './once.ts';
import { cut, paste, windowsOver, type Tiling } from './windows.ts';

type Tensors = Readonly<Record<string, Tensor>>;

/** What the windows are cut from, and what the network is fed beside one. */
interface Seen {
  readonly x: Tensor;
  readonly fed: Tensors;
  /** Of the input that takes the window. */
  readonly name: string;
}

export interface WindowedInput extends DenoiserInput {
  readonly tiling: Tiling;
}

/**
 * Blends the predictions of overlapping windows, under losses of the whole image. Memory is that of
 * one window. A guided step takes a forward pass more than without windows: a window is
 * differentiated once the gradient at the blended ε is known, and by then its activations are gone.
 */
export function openWindowedDenoiser(input: WindowedInput): Denoiser {
  const { model, batch, canvas, tiling } = input;
  const shape = [batch, ...seenShape(model, canvas)];
  const size = seenSize(model, tiling.window);
  const overlap = Math.floor((tiling.overlap * size.height) / tiling.window.height);
  const windows = windowsOver(seenSize(model, canvas), { window: size, overlap });
  const forms = openForms(input, tiling.window, (form) => ({
    window: once(() => openWindow(input, form)),
    gradient: once(() => openWindowGradient(input, form)),
  }));
  const whole = {
    plain: once(() => openBlended(input, shape)),
    guided: once(() => openBlendedGuided(input, shape)),
  };

  /** Every window's ε, blended; and its raw variance. */
  async function predict(network: Session, { x, fed, name }: Seen): Promise<Tensors> {
    const blended: Record<string, Tensor> = {};
    for (const window of windows) {
      const seen = await network.run({ ...fed, [name]: cut(x, window, size) });
      for (const [name, value] of Object.entries(seen))
        paste((blended[name] ??= zeros(shape)), value, window, true);
    }
    return blended;
  }

  /** Adds what the gradient at the blended ε makes of the gradient at x, window by window. */
  async function backward(
    network: Session,
    { x, fed, name }: Seen,
    atEps: Tensor,
    gradient: Tensor,
  ): Promise<void> {
    for (const window of windows) {
      const { [ports.gradient]: found } = await network.run({
        ...fed,
        [name]: cut(x, window, size),
        [windowPorts.epsGradient]: cut(atEps, window, size, true),
      });
      paste(gradient, found as Tensor, window);
    }
  }

  return {
    bind(subjects) {
      const at = forms.tell(subjects.map((s) => s.condition));
      const given = parametersOf(subjects.map((s) => s.losses));
      return async (x, step, want) => {
        const { sessions, feeds, input: name } = at(step);
        const level = levelFeed(step);
        const seen = { x, fed: { ...feeds, ...level }, name };
        const predicted = await predict(await sessions.window(), seen);
        const blended = {
          [windowPorts.x]: x,
          [ports.eps]: predicted[ports.eps] as Tensor,
          ...level,
        };
        if (!want.gradient) {
          const out = await (await whole.plain()).run(blended);
          return denoised({ ...predicted, ...out });
        }
        const out = await (await whole.guided()).run({ ...blended, ...given });
        const { [windowPorts.epsGradient]: atEps, [ports.gradient]: gradient } = out;
        await backward(await sessions.gradient(), seen, atEps as Tensor, gradient as Tensor);
        return denoised({ ...predicted, ...out });
      };
    },
    async release() {
      await forms.release();
      for (const opened of Object.values(whole)) await (await opened.started())?.release();
    },
  };
}
