/** Losses alone, for guidance that descends them at x̂₀ without the network behind it. */
import type { Descend } from '../guidance/guidance.ts';
import { lossGraph, ports } from '../guided/guided.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { aimOf, type DenoiserInput, type Subject } from './denoiser.ts';
import { parametersOf } from './feeds.ts';
import { decoderOf } from './latent/autoencoder.ts';
import { seenShape } from './model.ts';
import { once } from './once.ts';
import { openDerived } from './prepared.ts';

/** Made when a step first needs it. */
export interface Descent {
  bind(subjects: readonly Subject[]): Descend;
  release(): Promise<void>;
}

export function openDescent(input: DenoiserInput): Descent {
  const { model, like, batch, canvas, placement } = input;
  const x0 = [batch, ...seenShape(model, canvas)];
  const opened = once(() =>
    openDerived(input, { graph: 'loss', shapes: { x0 }, ...aimOf(input) }, async () =>
      lossGraph(like.losses, x0, {
        placement,
        decoder: await decoderOf(model, batch, canvas),
      }),
    ),
  );
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
