/** Several restorations of one measurement: what they have in common, and where they differ. */
import { UserError } from '../errors.ts';
import { imageShape } from '../operators/operator.ts';
import { sameShape, showShape, zeros, type Tensor } from '../tensor/tensor.ts';
import type { Job } from './job.ts';
import { restore, type StreamOptions } from './stream.ts';

/** Samples of what may have been measured. */
export interface Posterior {
  /** `[C,H,W]` each. */
  readonly samples: readonly Tensor[];
  /** `[C,H,W]`: of all estimates, the one with the least expected squared error (highest PSNR). */
  readonly mean: Tensor;
  /** `[1,H,W]`: standard deviation of the samples (K − 1 in the denominator), rms over channels. */
  readonly deviation: Tensor;
}

/**
 * Names the noise of a sample, from 0. The first one is what a single restoration gives; the others
 * are named as no file can be, so that they share their noise with no image.
 */
export function sampleName(name: string, index: number): string {
  return index === 0 ? name : `${name}\0${index}`;
}

/**
 * Draws samples of one image's posterior, which differ in their noise; as many at a time as memory
 * holds, unless `batch` says otherwise. What sample k is does not depend on how many there are.
 * @param samples at least 2
 * @throws UserError for fewer, or no integer, and as `restore` does; if a sample diverges
 */
export async function samplePosterior(
  job: Job,
  { samples: count, ...options }: StreamOptions & { readonly samples: number },
): Promise<Posterior> {
  refuseFew(count);
  const jobs = Array.from({ length: count }, (_, index) => {
    return { ...job, name: sampleName(job.name, index), index };
  });
  const samples: Tensor[] = [];
  for await (const event of restore(jobs, { batch: 'auto', ...options })) {
    if (event.type === 'failure') throw event.error;
    if (event.type === 'result') samples[event.job.index] = event.image;
  }
  return posteriorOf(samples);
}

/**
 * Mean and standard deviation of samples `[C,H,W]` of one shape, in float64.
 * @throws UserError for fewer than two, for what is no image, or images of different shapes
 */
export function posteriorOf(samples: readonly Tensor[]): Posterior {
  refuseFew(samples.length);
  const shape = imageShape(samples[0] as Tensor);
  const other = samples.find((sample) => !sameShape(sample.shape, shape));
  if (other)
    throw new UserError(
      `samples: images of different shapes, ${showShape(shape)} and ${showShape(other.shape)}`,
    );
  const [channels, height, width] = shape;
  const mean = zeros(shape);
  const variance = new Float64Array(height * width);
  for (let i = 0; i < mean.data.length; i++) {
    let sum = 0;
    for (const { data } of samples) sum += data[i]!;
    const middle = sum / samples.length;
    mean.data[i] = middle;
    for (const { data } of samples)
      variance[i % variance.length]! += (data[i]! - middle) ** 2 / (samples.length - 1) / channels;
  }
  return {
    samples,
    mean,
    deviation: { shape: [1, height, width], data: Float32Array.from(variance, Math.sqrt) },
  };
}

function refuseFew(count: number): void {
  if (!Number.isInteger(count) || count < 2)
    throw new UserError(`samples: ${count}, where their deviation takes at least 2`);
}
