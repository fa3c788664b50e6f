/** Runs the sampler over one batch. */
import { UserError } from '../errors.ts';
import type { Restorer } from '../pipeline/restore.ts';
import { NonFiniteError } from '../samplers/finite.ts';
import type { Batch } from './batches.ts';
import type { Io } from './io.ts';
import type { Progress } from './progress.ts';
import type { Report } from './report.ts';
import type { Restored, Timing } from './restored.ts';
import { framesOf, isTraced, type Frame } from './trace.ts';

export interface Run {
  readonly restored: readonly Restored[];
  readonly timing: Timing;
}

/** Samples to the end, or to the NaN or infinity that is returned. */
export async function restoreBatch(
  batch: Batch,
  given: { restorer: Restorer; progress: Progress; trace: number | undefined; io: Io },
): Promise<Run | NonFiniteError> {
  const { restorer, progress, trace, io } = given;
  const frames: Frame[][] = batch.map(() => []);
  const jobs = batch.map((e) => ({ ...e, name: e.input.name }));
  const began = performance.now();
  let [taken, first] = [0, began];
  try {
    const run = restorer.restore(jobs, io.signal);
    for (;;) {
      const { value, done } = await run.next();
      if (done) {
        const now = performance.now();
        const perStep = taken > 1 ? (now - first) / (taken - 1) : now - began;
        const timing = {
          batch: batch.length,
          seconds: (now - began) / 1000,
          secondsPerStep: perStep / 1000,
        };
        const restored = batch.map((example, i) => ({
          example,
          image: value[i] as (typeof value)[number],
          frames: frames[i] ?? [],
        }));
        return { restored, timing };
      }
      if (trace !== undefined && isTraced(taken, value.step.index, trace))
        framesOf(value).forEach((frame, i) => frames[i]?.push(frame));
      taken++;
      if (taken === 1) first = performance.now();
      progress.step(taken, value.loss && Math.max(...value.loss));
    }
  } catch (error) {
    if (error instanceof NonFiniteError) return error;
    throw error;
  }
}

/** A batch ends with its first NaN; the images beside the one that had it are named as well. */
export function reportDivergence(batch: Batch, error: NonFiniteError, report: Report): void {
  const culprit = batch[error.image]?.input.file;
  for (const { input } of batch) {
    const beside = new UserError(`stopped with ${culprit}, which was in the same batch`, {
      hint: 'restore it with --batch 1',
    });
    report.failure(input.file, input.file === culprit ? error : beside);
  }
}
