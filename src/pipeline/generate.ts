/** Makes new images: samples of the prior, of one of its classes, or bent towards losses. */
import { UserError } from '../errors.ts';
import type { Wanted } from './job.ts';
import { restore, type RestoreEvent, type StreamOptions } from './stream.ts';

export interface GenerateOptions
  extends StreamOptions, Pick<Wanted, 'size' | 'condition' | 'losses'> {
  /** How many images, from 0; they are named `0000`, `0001`, …, and a name's noise is always the same. */
  readonly count: number;
}

/**
 * Samples `count` images from noise.
 * @throws UserError for a count that is no integer from 0, or a size that does not suit the model; the
 *   signal's reason
 */
export function generate(
  options: GenerateOptions,
): AsyncGenerator<RestoreEvent<Wanted>, void, undefined> {
  const { count, size, condition, losses } = options;
  if (!Number.isSafeInteger(count) || count < 0)
    throw new UserError(`count is ${count}, expected a whole number from 0`);
  const shared = { size, ...(condition && { condition }), ...(losses && { losses }) };
  const jobs = Array.from({ length: count }, (_, i) => ({ name: nameOf(i), ...shared }));
  return restore<Wanted>(jobs, options);
}

/** What the i-th image is called, from 0: `0007`. */
export function nameOf(i: number): string {
  return String(i).padStart(4, '0');
}
