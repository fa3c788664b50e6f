/** A guided step of a tiny latent pipeline, its noise level and prompt being given. */
import type { Placement } from '../../src/guided/guided.ts';
import type { Loss } from '../../src/losses/loss.ts';
import type { Size } from '../../src/pipeline/canvas.ts';
import { levelFeed, parametersOf, timestepFeed } from '../../src/pipeline/feeds.ts';
import { graphFor, type Model } from '../../src/pipeline/model.ts';
import { openGuided } from '../../src/pipeline/staged.ts';
import type { Step } from '../../src/schedules/respace.ts';
import { stack } from '../../src/tensor/batch.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

export interface LatentStep {
  readonly canvas: Size;
  readonly placement: Placement;
  readonly step: Step;
  /** Features of the prompt, `[tokens,features]`. */
  readonly prompt: Tensor;
  /** Pixels up to which the step is one graph. */
  readonly most?: number | undefined;
}

/** How losses of x̂₀, or of what it decodes to, go with the latent. */
export async function lossesOver(
  model: Model,
  losses: readonly Loss[],
  { canvas, placement, step, prompt, most }: LatentStep,
) {
  const told = { encoder_hidden_states: prompt };
  const input = { model, like: { losses }, batch: 1, canvas, placement, session: {} };
  const network = async () => ({
    graph: await graphFor(model, 1, canvas, told),
    card: model.card,
  });
  const form = { network, origin: { shapes: {} }, feeds: () => ({}) };
  const session = await openGuided(input, form, most);
  const feeds = {
    ...timestepFeed(model, 1, step.timestep),
    ...levelFeed(step),
    ...parametersOf([losses]),
    encoder_hidden_states: stack([prompt]),
  };
  return {
    run: (x: Tensor) => session.run({ ...feeds, [model.card.inputs.x]: x }),
    release: () => session.release(),
  };
}
