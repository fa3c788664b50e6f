/** What a sampler needs and what it yields; it sees no ONNX, session or operator. */
import type { Guidance } from '../guidance/guidance.ts';
import type { Step } from '../schedules/respace.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What the network says of x_t. Tensors are `[N,C,H,W]`. */
export interface Denoised {
  readonly eps: Tensor;
  /** The posterior mean of the clean image, clipped where the model's card says so. */
  readonly x0: Tensor;
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
  /** Standard Gaussian noise shaped like x; asked for only where sigma is not 0, never at the last step. */
  readonly noise: (step: Step) => Tensor;
  /** Heeded between steps: the sampler throws its reason. */
  readonly signal?: AbortSignal;
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
