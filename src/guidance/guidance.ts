/** What a guidance rule sees of a step and what it returns: no network, no sampler, no noise. */
import type { Step } from '../schedules/respace.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** An unguided step x' = mu + sigma z, and the gradient to bend it by. Tensors are `[N,C,H,W]`. */
export interface Proposal {
  readonly step: Step;
  /** x', which is mu at the last step. */
  readonly sample: Tensor;
  readonly mean: Tensor;
  /** A tensor where the network predicts a variance for every value. */
  readonly sigma: number | Tensor;
  /** Gradient of each image's loss with respect to its x_t. */
  readonly gradient: Tensor;
  /** The loss of each image, where it was computed. */
  readonly loss: Float64Array | undefined;
  /** The network's prediction of the noise in x_t. */
  readonly eps: Tensor;
  /** How much of x0 is in the mean: mu = ofX0 x0 + ofX x_t. */
  readonly ofX0: number;
}

/** Loss and gradient at an x0 `[N,C,H,W]`, without the network that predicts it. */
export type Descend = (
  x0: Tensor,
) => Promise<{ readonly loss: Float64Array; readonly gradient: Tensor }>;

/**
 * How far a gradient of each image's loss is to be followed, 1 being its own length.
 * @param estimate x0 `[N,C,H,W]` as predicted, and the gradient with respect to the x_t it is of
 */
export type Reach = (estimate: Pick<Estimate, 'step' | 'x0' | 'gradient'>) => Promise<Float64Array>;

/** What the network says of x_t, from which a guided step starts. Tensors are `[N,C,H,W]`. */
export interface Estimate {
  readonly step: Step;
  readonly x0: Tensor;
  /** That of the network alone, at which loss and gradient were taken; x0 if left out. */
  readonly predicted?: Tensor | undefined;
  /** Gradient of each image's loss with respect to its x_t. */
  readonly gradient: Tensor;
  readonly descend: Descend | undefined;
  readonly reach?: Reach | undefined;
}

/** A pure rule. Each image of a batch is guided as it would be alone. */
export interface Guidance {
  readonly name: string;
  /** Whether the step needs a gradient; where it does not, the plain sample is taken. */
  guides(step: Step): boolean;
  /** The x0 that the step is taken with; that of the network if left out. */
  readonly estimate?: (estimate: Estimate) => Promise<Tensor>;
  /** The guided x'; the proposal is left as it is. */
  apply(proposal: Proposal): Tensor;
}
