/** How far a gradient is to be followed, for guidance whose loss tells it. */
import type { Reach } from '../guidance/guidance.ts';
import { ports } from '../guided/guided.ts';
import type { Reaching } from '../guided/reach.ts';
import type { Loss } from '../losses/loss.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { DenoiserInput, Subject } from './denoiser.ts';
import { openReach } from './derivations.ts';
import { levelFeed, parametersOf } from './feeds.ts';
import { once } from './once.ts';

/** Its graph is made when a step first needs it. */
export interface Reaches {
  bind(subjects: readonly Subject[]): Reach;
  release(): Promise<void>;
}

/**
 * Nothing where other losses add to the gradient, or where it is that of a latent: there the loss
 * does not know what follows from a step.
 */
export function openReaches(input: DenoiserInput): Reaches | undefined {
  const { losses } = input.like;
  const [loss] = losses;
  if (losses.length !== 1 || !loss || !reaches(loss) || input.model.card.latent) return undefined;
  const opened = once(() => openReach(input, loss));
  return {
    bind(subjects) {
      const given = parametersOf(subjects.map((s) => s.losses));
      return async ({ step, x0, gradient }) => {
        const fed = { ...given, ...levelFeed(step), [ports.image]: x0, [ports.gradient]: gradient };
        const { [ports.reach]: reach } = await (await opened()).run(fed);
        return Float64Array.from((reach as Tensor).data);
      };
    },
    async release() {
      await (await opened.started())?.release();
    },
  };
}

function reaches(loss: Loss): loss is Reaching {
  return loss.reach !== undefined;
}
