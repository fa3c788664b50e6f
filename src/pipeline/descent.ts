/** Losses alone, for guidance that descends them at x̂₀ without the network behind it. */
import type { Descend } from '../guidance/guidance.ts';
import { ports } from '../guided/guided.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { DenoiserInput, Subject } from './denoiser.ts';
import { openLoss } from './derivations.ts';
import { parametersOf } from './feeds.ts';
import { once } from './once.ts';

/** Made when a step first needs it. */
export interface Descent {
  bind(subjects: readonly Subject[]): Descend;
  release(): Promise<void>;
}

export function openDescent(input: DenoiserInput): Descent {
  const opened = once(() => openLoss(input));
  return {
    bind(subjects) {
      const given = parametersOf(subjects.map((s) => s.losses));
      return async (x0) => {
        const out = await (await opened()).run({ ...given, [ports.image]: x0 });
        const { data } = out[ports.loss] as Tensor;
        return { loss: Float64Array.from(data), gradient: out[ports.gradient] as Tensor };
      };
    },
    async release() {
      await (await opened.started())?.release();
    },
  };
}
