/** The guard against NaN and infinity, which would otherwise surface as a black image. */
import { UserError } from '../errors.ts';
import type { Step } from '../schedules/respace.ts';
import { firstNonFinite } from '../tensor/batch.ts';
import type { Tensor } from '../tensor/tensor.ts';

const HINTS = {
  eps: 'the network overflowed; if its weights or provider are float16, try float32 on the CPU',
  x0: 'the network overflowed; if its weights or provider are float16, try float32 on the CPU',
  loss: 'the loss overflowed or has no value here; try float32 on the CPU, or another loss',
  gradient: 'the loss overflowed or has no slope here; try float32 on the CPU, or another loss',
  'classifier gradient': 'the classifier overflowed; try a lower scale, or another classifier',
  x: 'the step diverged; try a smaller step size, a lower guidance rate or more steps',
};

/** A NaN or infinity in what a step computed, and where. */
export class NonFiniteError extends UserError {
  readonly step: Step;
  /** Position in the batch, from 0. */
  readonly image: number;

  constructor(name: keyof typeof HINTS, value: number, step: Step, image: number) {
    super(
      `${name} is ${value} at step ${step.index} (timestep ${step.timestep}), image ${image} of the batch`,
      { hint: HINTS[name] },
    );
    this.step = step;
    this.image = image;
  }
}

/** @throws NonFiniteError naming the first image of `[N,...]` that holds a NaN or infinity. */
export function assertFinite(name: keyof typeof HINTS, values: Tensor, step: Step): void {
  const at = firstNonFinite(values);
  if (at < 0) return;
  const image = Math.floor((at * values.shape[0]!) / values.data.length);
  throw new NonFiniteError(name, values.data[at]!, step, image);
}
