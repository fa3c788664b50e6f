/** Makes measurements of clean images. */
import { UserError } from '../errors.ts';
import { operatorGraph } from '../guided/guided.ts';
import { imageShape, visible, type Operator } from '../operators/operator.ts';
import { openGraph } from '../session/session.ts';
import { gaussian, noiseKey } from '../tensor/noise.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { operatorFeeds } from './feeds.ts';

/**
 * A(x) of one image, without noise.
 * @param image `[C,H,W]`
 * @throws UserError if that is no image, or one that the operator cannot take
 */
export async function applyOperator(operator: Operator, image: Tensor): Promise<Tensor> {
  const shape = imageShape(image);
  const batch = tensor([1, ...shape], image.data);
  const session = await openGraph(operatorGraph(operator, shape));
  try {
    const y = (await session.run({ x: batch, ...operatorFeeds(operator) }))['y'] as Tensor;
    return tensor(y.shape.slice(1), y.data);
  } finally {
    await session.release();
  }
}

export interface DegradeOptions {
  /** Standard deviation of the measurement's Gaussian noise, on the range [-1,1]. */
  readonly sigma: number;
  readonly seed: number;
  /** Names the image's noise. */
  readonly name: string;
}

/**
 * y = A(x) + σ n, `[C,H,W]`; not clipped. What the operator hides stays zero.
 * @throws UserError for a sigma or seed out of range, and as `applyOperator` does
 */
export async function degrade(
  operator: Operator,
  image: Tensor,
  { sigma, seed, name }: DegradeOptions,
): Promise<Tensor> {
  refuseNoise(sigma);
  const key = noiseKey(seed, name);
  const y = await applyOperator(operator, image);
  const n = gaussian(key, 'measurement', 0, y.shape);
  const noisy = tensor(
    y.shape,
    y.data.map((v, i) => v + sigma * (n.data[i] as number)),
  );
  return visible(operator, noisy);
}

/** @throws UserError for what is no standard deviation */
export function refuseNoise(sigma: number): void {
  if (!(sigma >= 0 && sigma < Infinity))
    throw new UserError(`noise: sigma ${sigma}, expected a finite number from 0`, {
      hint: 'it is the standard deviation on [-1,1]; 0.05 is usual',
    });
}
