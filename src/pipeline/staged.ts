/** A guided step: in one graph, or of a large latent model in stages. */
import { classifierFreePorts } from '../guided/classifier-free.ts';
import { ports } from '../guided/guided.ts';
import { windowPorts } from '../guided/windowed.ts';
import type { Session } from '../session/session.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { seenShape, type Size } from './canvas.ts';
import type { DenoiserInput } from './denoiser.ts';
import { openBlendedGuided, openWhole, openWindow, openWindowGradient } from './derivations.ts';
import type { Form } from './forms.ts';
import type { Model } from './model.ts';

/**
 * Pixels up to which network and decoder are one graph: there the values of a decoder of the form of
 * Stable Diffusion's and of its backward pass take about 1 GB. By size alone, and not by the memory
 * that there is: results must not depend on the machine.
 */
const largestInOne = 192 * 192;

/** Whether a model's guided step is taken in stages. @param most pixels of an image in one graph */
export function isStaged({ card }: Model, { height, width }: Size, most = largestInOne): boolean {
  return card.latent !== undefined && height * width > most;
}

/** The step's graph, or its stages as if they were one session. */
export async function openGuided(
  input: DenoiserInput,
  form: Form,
  most?: number,
): Promise<Session> {
  const staged = isStaged(input.model, input.canvas, most);
  return staged ? openStages(input, form) : openWhole(input, form);
}

/**
 * Network; x̂₀, decoder, losses and their gradient at x and ε; J of the network, transposed, times
 * that at ε. One more forward pass of the network than in one graph, but memory is that of the
 * largest stage.
 */
async function openStages(given: DenoiserInput, form: Form): Promise<Session> {
  // Each stage gives its memory back for the next one.
  const input = { ...given, session: { ...given.session, frugal: true } };
  const { model, batch, canvas } = input;
  const shape = [batch, ...seenShape(model, canvas)];
  const opened: Session[] = [];
  const release = async (): Promise<void> => {
    for (const session of opened) await session.release();
  };
  try {
    opened.push(
      await openWindow(input, form),
      await openBlendedGuided(input, shape),
      await openWindowGradient(input, form),
    );
  } catch (error) {
    await release();
    throw error;
  }
  const [forward, middle, backward] = opened as [Session, Session, Session];
  return {
    async run(feeds) {
      const predicted = await forward.run(feeds);
      // Whether it is told of none as well or not decides what the network's x is called.
      const x = (feeds[classifierFreePorts.x] ?? feeds[model.card.inputs.x]) as Tensor;
      const eps = predicted[ports.eps] as Tensor;
      const out = await middle.run({ ...feeds, [windowPorts.x]: x, [ports.eps]: eps });
      const { [windowPorts.epsGradient]: atEps, [ports.gradient]: direct } = out;
      const fed = { ...feeds, [windowPorts.epsGradient]: atEps as Tensor };
      const { [ports.gradient]: through } = await backward.run(fed);
      return { ...predicted, ...out, [ports.gradient]: sum(direct as Tensor, through as Tensor) };
    },
    release,
  };
}

function sum({ shape, data: a }: Tensor, { data: b }: Tensor): Tensor {
  return { shape, data: a.map((v, i) => v + (b[i] as number)) };
}
