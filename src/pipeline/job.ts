/** What is to be made: the restoration of a measurement, or a new image. */
import { UserError } from '../errors.ts';
import { gluingLoss } from '../guided/gluing.ts';
import { measurementLoss } from '../guided/measured.ts';
import { throughClip, weighted, type Loss } from '../losses/loss.ts';
import { imageShape, type ImageShape, type Operator } from '../operators/operator.ts';
import { sameShape, showShape, type Tensor } from '../tensor/tensor.ts';
import { canvasFor, imageChannels, type Size } from './canvas.ts';
import type { Condition } from './condition.ts';
import { refuseNoise } from './degrade.ts';
import { encoderFor } from './latent/autoencoder.ts';
import type { Model } from './model.ts';
import { clipGradientOf, type Method } from './method.ts';

interface Subject {
  /** Names the image's noise: the same name and seed give the same noise anywhere. */
  readonly name: string;
  /** Instead of the restorer's own; the same for all images of a batch. */
  readonly method?: Method | undefined;
  /** What the network is told; nothing if left out. See `classCondition`. */
  readonly condition?: Condition | undefined;
  /** What the image should have beside agreeing with its measurement, if any. */
  readonly losses?: readonly Loss[] | undefined;
}

/** An image to restore. */
export interface Measured extends Subject {
  /** `[C,H,W]` in [-1,1] and beyond, where noise carries it there; C is the model's. */
  readonly measurement: Tensor;
  readonly operator: Operator;
  /**
   * Standard deviation of its noise on [-1,1], from 0. Where it is left out, methods that weigh
   * residuals by it (`pigdm`, and any with `whiten`) take it to be 0.05.
   */
  readonly sigma?: number | undefined;
}

/** An image to make of noise. */
export interface Wanted extends Subject {
  readonly size: Size;
}

export type Job = Measured | Wanted;

/**
 * The shape of the image to come.
 * @throws UserError for a measurement that no image of the model can have
 */
export function shapeOf(job: Job, model: Pick<Model, 'file' | 'channels' | 'card'>): ImageShape {
  const channels = imageChannels(model);
  if ('size' in job) return [channels, job.size.height, job.size.width];
  const { name, operator, measurement } = job;
  const [, height, width] = operator.restored(imageShape(measurement));
  const image: ImageShape = [channels, height, width];
  const expected = operator.measured(image);
  // A measurement of one channel would be broadcast, and pass.
  if (!sameShape(measurement.shape, expected))
    throw new UserError(
      `${name}: a measurement ${showShape(measurement.shape)}, expected ${showShape(expected)} of images ${showShape(image)}`,
      { hint: `${model.file} has images of ${channels} channels` },
    );
  return image;
}

/**
 * The losses of a job by itself: that of its measurement first.
 * @throws UserError for a sigma out of range
 */
export function lossesOf(job: Job, method?: Method): readonly Loss[] {
  const losses = [...fidelityOf(job, method), ...(job.losses ?? [])];
  return method && clipGradientOf(method) === 'pass' ? losses.map(throughClip) : losses;
}

function fidelityOf(job: Job, method?: Method): readonly Loss[] {
  if ('size' in job) return [];
  const { operator, measurement, sigma } = job;
  if (sigma !== undefined) refuseNoise(sigma);
  const likelihood = method?.name === 'pigdm';
  return [measurementLoss(operator, measurement, { whiten: method?.whiten, sigma, likelihood })];
}

/**
 * What a method adds to them.
 * @throws UserError for a model that the method is not for
 */
export function lossesOfMethod(job: Job, model: Model, method: Method | undefined): Loss[] {
  if (method?.name !== 'psld') return [];
  if (!('size' in job)) return [gluingOf(job, model, method)];
  throw new UserError('psld glues latents to what was measured, and nothing was', {
    hint: 'use another method, or dsg restore',
  });
}

/** Weighed so that a step of the method's size takes γ of it. */
function gluingOf(
  { operator, measurement }: Measured,
  model: Model,
  { stepSize, gluing }: Extract<Method, { name: 'psld' }>,
): Loss {
  const { latent } = model.card;
  if (!latent)
    throw new UserError(
      `${model.file}: psld glues latents to images, and the model has no latents`,
      {
        hint: 'use --method dps, which is the same without',
      },
    );
  if (!(stepSize > 0 && gluing >= 0 && gluing < Infinity))
    throw new UserError(
      `psld: step size ${stepSize} and gluing ${gluing}, expected numbers above and from 0`,
    );
  const encoder = async ([n = 1, , height = 0, width = 0]: readonly number[]) => {
    const graph = await encoderFor(model, n, canvasFor(model, { height, width }, { margin: true }));
    return { graph, latent, channels: model.channels };
  };
  return weighted(gluingLoss(operator, measurement, encoder), gluing / stepSize);
}
