/** The graphs of a sampling step, each with what it follows from and what it is tried out on. */
import { guidedGraph, lossGraph, stepGraph } from '../guided/guided.ts';
import { reachGraph, type Reaching } from '../guided/reach.ts';
import { blendedGraph, windowGradientGraph, windowGraph, windowPorts } from '../guided/windowed.ts';
import type { Session } from '../session/session.ts';
import { seenShape } from './canvas.ts';
import type { DenoiserInput } from './denoiser.ts';
import { parametersOf, repeated } from './feeds.ts';
import { exampleLevel, type Form } from './forms.ts';
import { gradientOptions } from './gradient-forms.ts';
import { decoderOf } from './latent/autoencoder.ts';
import { openDerived, type Origin, type Recipe } from './prepared.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A graph that follows from the network alone, as a form of it has it. */
function ofNetwork(graph: Recipe['graph'], derive: typeof windowGradientGraph) {
  return (input: DenoiserInput, { network, origin, feeds }: Form): Promise<Session> => {
    const make = async () => {
      const { graph: resolved, card } = await network();
      return derive(resolved, card, gradientOptions(input.session));
    };
    return openDerived(input, { graph, ...origin }, { make, feeds });
  };
}

export const openStep = ofNetwork('step', stepGraph);

/** The network's prediction of a window, or as the first stage of several. */
export const openWindow = ofNetwork('window', windowGraph);

/** J of a window, transposed, times the gradient at ε. */
export const openWindowGradient = ofNetwork('window gradient', windowGradientGraph);

/** Network, losses and gradient in one. */
export function openWhole(
  input: DenoiserInput,
  { network, origin, feeds }: Form,
): Promise<Session> {
  const make = async () => {
    const { graph, card } = await network();
    return guidedGraph(graph, card, await aimFor(input), gradientOptions(input.session));
  };
  return openDerived(
    input,
    { graph: 'guided', ...origin, ...aimOf(input) },
    { make, feeds: () => ({ ...feeds(), ...lossFeeds(input) }) },
  );
}

/** From x and ε of all windows to x̂₀. */
export function openBlended(input: DenoiserInput, shape: readonly number[]): Promise<Session> {
  return openDerived(
    input,
    { graph: 'blended', shapes: { [windowPorts.x]: shape } },
    { make: async () => blendedGraph(shape, input.model.card), feeds: () => exampleLevel },
  );
}

/** The same with losses, and their gradients at x and ε. */
export function openBlendedGuided(
  input: DenoiserInput,
  shape: readonly number[],
): Promise<Session> {
  const { model, session } = input;
  const make = async () =>
    blendedGraph(shape, model.card, await aimFor(input), gradientOptions(session));
  return openDerived(
    input,
    { graph: 'blended guided', shapes: { [windowPorts.x]: shape }, ...aimOf(input) },
    { make, feeds: () => ({ ...exampleLevel, ...lossFeeds(input) }) },
  );
}

/** Losses alone, with their gradient at x̂₀. */
export function openLoss(input: DenoiserInput): Promise<Session> {
  const { model, like, batch, canvas, session } = input;
  const x0 = [batch, ...seenShape(model, canvas)];
  const make = async () =>
    lossGraph(like.losses, x0, await aimFor(input), gradientOptions(session));
  return openDerived(
    input,
    { graph: 'loss', shapes: { x0 }, ...aimOf(input) },
    { make, feeds: () => lossFeeds(input) },
  );
}

/**
 * How far the gradient of a loss is to be followed. Always on the CPU in float32: it is small beside
 * the network, and a quotient of what nearly cancels.
 */
export function openReach(input: DenoiserInput, loss: Reaching): Promise<Session> {
  const { model, batch, canvas, session, placement } = input;
  const x0 = [batch, ...seenShape(model, canvas)];
  const { threads, thread } = session;
  return openDerived(
    { ...input, session: { threads, thread } },
    { graph: 'reach', shapes: { x0 }, ...aimOf(input) },
    {
      make: async () => reachGraph(loss, x0, placement),
      feeds: () => ({ ...exampleLevel, ...lossFeeds(input) }),
    },
  );
}

async function aimFor({ model, like, batch, canvas, placement }: DenoiserInput) {
  return { losses: like.losses, placement, decoder: await decoderOf(model, batch, canvas) };
}

/** What a guided graph follows from beside the network. */
function aimOf({ like, placement }: DenoiserInput): Pick<Origin, 'losses' | 'placement'> {
  return { losses: like.losses.map((l) => l.signature), placement };
}

function lossFeeds({ like, batch }: DenoiserInput): Record<string, Tensor> {
  return parametersOf(repeated(like.losses, batch));
}
