/** The network behind a sampler: sessions over the step's graphs. */
import type { Cache } from '../cache/cache.ts';
import { ports, type Placement } from '../guided/guided.ts';
import type { ClassifierFree } from '../guidance/classifier-free.ts';
import type { Loss } from '../losses/loss.ts';
import type { Denoise, Denoised } from '../samplers/sampler.ts';
import type { SessionOptions } from '../session/session.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Size } from './canvas.ts';
import type { Condition } from './condition.ts';
import { openStep } from './derivations.ts';
import { levelFeed, parametersOf } from './feeds.ts';
import { openForms } from './forms.ts';
import type { Model } from './model.ts';
import { once } from './once.ts';
import { openGuided } from './staged.ts';

/** An image as its network and its losses know it. */
export interface Subject {
  readonly losses: readonly Loss[];
  readonly condition?: Condition;
}

export interface DenoiserInput {
  readonly model: Model;
  /** One of the images: the others have losses and conditions of the same signatures and shapes. */
  readonly like: Subject;
  readonly batch: number;
  readonly canvas: Size;
  readonly placement: Placement;
  readonly session: SessionOptions;
  /** Where derived graphs are kept; nowhere if left out. */
  readonly cache?: Cache | undefined;
  /** Told of what takes its time. */
  readonly note?: ((line: string) => void) | undefined;
  /** Goes beyond the condition, away from none. */
  readonly classifierFree?: ClassifierFree | undefined;
}

/** Graphs and sessions for batches of one size; each is only made when a step first needs it. */
export interface Denoiser {
  bind(subjects: readonly Subject[]): Denoise;
  release(): Promise<void>;
}

export function openDenoiser(input: DenoiserInput): Denoiser {
  const { canvas } = input;
  const forms = openForms(input, canvas, (form) => ({
    plain: once(() => openStep(input, form)),
    guided: once(() => openGuided(input, form)),
  }));
  return {
    bind(subjects) {
      const at = forms.tell(subjects.map((s) => s.condition));
      const given = parametersOf(subjects.map((s) => s.losses));
      return async (x, step, want) => {
        const { sessions, feeds, input: name } = at(step);
        const session = await (want.gradient ? sessions.guided() : sessions.plain());
        const fed = { ...feeds, ...levelFeed(step), [name]: x };
        return denoised(await session.run(want.gradient ? { ...fed, ...given } : fed));
      };
    },
    release: () => forms.release(),
  };
}

export function denoised(out: Record<string, Tensor>): Denoised {
  const { [ports.variance]: variance, [ports.loss]: loss, [ports.gradient]: gradient } = out;
  return {
    eps: out[ports.eps] as Tensor,
    x0: out[ports.x0] as Tensor,
    ...(variance && { variance }),
    ...(loss && { loss: Float64Array.from(loss.data) }),
    ...(gradient && { gradient }),
  };
}
