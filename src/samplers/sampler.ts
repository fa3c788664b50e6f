/** What a sampler needs and what it yields; it sees no ONNX, session or operator. */
import type { Descend, Guidance, Reach } from '../guidance/guidance.ts';
import type { Step } from '../schedules/respace.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What the network says of x_t. Tensors are `[N,C,H,W]`. */
export interface Denoised {
  readonly eps: Tensor;
  /** The posterior mean of the clean image, clipped where the model's card says so. */
  readonly x0: Tensor;
  /** The network's own x0, where something moved it; gradients are of losses at this one. */
  readonly predicted?: Tensor;
  /** The raw second half of a learned-variance output, in [-1,1]. */
  readonly variance?: Tensor;
  /** The loss of each image. */
  readonly loss?: Float64Array;
  /** Gradient of each image's loss with respect to its x_t. */
  readonly gradient?: Tensor;
}

export type Denoise = (
  x: Tensor,
  step: Step,
  want: { readonly gradient: boolean },
) => Promise<Denoised>;

export interface SamplerInput {
  readonly denoise: Denoise;
  /** x_T, standard Gaussian. */
  readonly x: Tensor;
  /** Noisiest first. */
  readonly steps: readonly Step[];
  readonly guidance: Guidance;
  /**
   * Standard Gaussian noise shaped like x; asked for while the network runs, only by samplers that have a
   * sigma, and never for the last step.
   * A step that is taken again has other noise each time: `pass` counts from 0.
   */
  readonly noise: (step: Step, pass: number) => Tensor;
  /** Every step is taken once if left out. */
  readonly travel?: TimeTravel;
  /** For guidance that looks for a better x0 itself. */
  readonly descend?: Descend;
  /** For guidance whose loss tells how far its gradient goes. */
  readonly reach?: Reach;
  /** Heeded between steps: the sampler throws its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Steps that are taken several times, going back in between: Lugmayr et al., RePaint (2022);
 * the time-travel of FreeDoM (2023) and the self-recurrence of universal guidance (2023).
 */
export interface TimeTravel {
  /** How often a step is taken, from 1. */
  passes(step: Step): number;
  /** Standard Gaussian noise of the way back after a pass, shaped like x. */
  readonly noise: (step: Step, pass: number) => Tensor;
  /**
   * Whether it goes on with the mean of what the passes of a step end at, and not with the last.
   * Such a step is yielded after every pass.
   */
  averages?(step: Step): boolean;
}

/** Where a sampler stands after a step. The tensors are not written to again. */
export interface SamplerState {
  readonly step: Step;
  readonly x: Tensor;
  readonly x0: Tensor;
  readonly loss?: Float64Array;
}

/** Yields after every step and returns the last x. */
export type Sampler = (input: SamplerInput) => AsyncGenerator<SamplerState, Tensor>;
