/** What is to be made: the restoration of a measurement, or a new image. */
import { measurementLoss } from '../guided/measured.ts';
import type { Loss } from '../losses/loss.ts';
import { imageShape, type ImageShape, type Operator } from '../operators/operator.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Condition } from './condition.ts';
import { imageChannels, type Model, type Size } from './model.ts';
import type { Method } from './method.ts';

interface Subject {
  /** Names the image's noise: the same name and seed give the same noise anywhere. */
  readonly name: string;
  /** Instead of the restorer's own; the same for all images of a batch. */
  readonly method?: Method;
  /** What the network is told; nothing if left out. See `classCondition`. */
  readonly condition?: Condition;
  /** What the image should have beside agreeing with its measurement, if any. */
  readonly losses?: readonly Loss[];
}

/** An image to restore. */
export interface Measured extends Subject {
  /** `[C,H,W]` in [-1,1] and beyond, where noise carries it there. */
  readonly measurement: Tensor;
  readonly operator: Operator;
}

/** An image to make of noise. */
export interface Wanted extends Subject {
  readonly size: Size;
}

export type Job = Measured | Wanted;

/** The shape of the image to come. */
export function shapeOf(job: Job, model: Pick<Model, 'channels' | 'card'>): ImageShape {
  if ('size' in job) return [imageChannels(model), job.size.height, job.size.width];
  return job.operator.restored(imageShape(job.measurement));
}

/** All losses of a job: that of its measurement first. */
export function lossesOf(job: Job): readonly Loss[] {
  const { losses = [] } = job;
  return 'size' in job ? losses : [measurementLoss(job.operator, job.measurement), ...losses];
}
