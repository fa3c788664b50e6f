/** Sampling with noise that was recorded elsewhere. */
import { UserError } from '../errors.ts';
import type { Step } from '../schedules/respace.ts';
import { stack } from '../tensor/batch.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { repeated } from './feeds.ts';

/** Noise recorded elsewhere, to be used instead of the generator's. */
export interface Replay {
  /** `[1,C,H,W]` */
  readonly x_T: Tensor;
  /**
   * `[at least steps,1,C,H,W]`; row 0 belongs to the first step taken, the last step uses none. Not
   * needed where steps add no noise.
   */
  readonly noise?: Tensor;
}

/**
 * Recorded noise, the same for every image of a batch.
 * @param shape `[C,H,W]` of what is sampled
 * @throws UserError for noise of another shape, or for fewer steps
 */
export function replayed(
  { x_T, noise }: Replay,
  shape: readonly number[],
  steps: readonly Step[],
  batch: number,
): { x: Tensor; noise: (step: Step) => Tensor } {
  const size = shape.reduce((n, d) => n * d, 1);
  if (x_T.shape.join() !== [1, ...shape].join())
    throw new UserError(`replay: x_T is [${x_T.shape.join()}], sampling needs [1,${shape.join()}]`);
  const [rows = 0, ...rest] = noise?.shape ?? [];
  if (noise && (rest.join() !== [1, ...shape].join() || rows < steps.length))
    throw new UserError(
      `replay: noise is [${noise.shape.join()}], sampling needs at least [${steps.length},1,${shape.join()}]`,
    );
  const forAll = (data: Float32Array): Tensor => stack(repeated(tensor(shape, data), batch));
  return {
    x: forAll(x_T.data),
    noise: (step) => {
      if (!noise)
        throw new UserError(
          'replay: the sampler adds noise at the steps, and there is no noise.npy',
          {
            hint: 'add noise.npy, or sample without noise: --eta 0',
          },
        );
      const row = steps.length - 1 - step.index;
      return forAll(noise.data.subarray(row * size, (row + 1) * size));
    },
  };
}
