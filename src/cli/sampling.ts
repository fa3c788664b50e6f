/** Samples images side by side and in batches, and has each written as it is done. */
import { UserError } from '../errors.ts';
import type { Job } from '../pipeline/job.ts';
import { restore, type RestoreEvent, type StreamOptions, type Timing } from '../pipeline/stream.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Destination } from './destination.ts';
import type { Io } from './io.ts';
import type { Progress } from './progress.ts';
import { framesOf, isTraced, type Frame } from './trace.ts';
import { concernsOneFile, openWrites } from './writing.ts';

/** A sampled image with all that may be written of it. */
export interface Sampled<J> {
  readonly job: J;
  /** `[C,H,W]` */
  readonly image: Tensor;
  /** Empty without `--trace`. */
  readonly frames: readonly Frame[];
  /** The loss at the last step that was guided. */
  readonly loss: number | undefined;
  readonly timing: Timing;
}

export interface SamplingContext<J, R> {
  readonly destination: Destination;
  /** One for each lane. */
  readonly progress: readonly Progress[];
  /** Every how many steps x̂₀ is kept. */
  readonly trace: number | undefined;
  readonly io: Io;
  /** Where a job stands among all, from 0. */
  position(job: J): number;
  /** An image that diverged or could not be written; the others go on. */
  fail(job: J, error: UserError): void;
  /** What is to be written now that this image is there; nothing where others are waited for. */
  collect(sampled: Sampled<J>): R | undefined;
  /** @throws UserError if a file cannot be written */
  write(result: R): Promise<void>;
}

/** @throws UserError if sampling or writing cannot go on; the signal's reason */
export async function sampleAll<J extends Job, R>(
  jobs: AsyncIterable<J> | Iterable<J>,
  options: Omit<StreamOptions, 'signal'>,
  context: SamplingContext<J, R>,
): Promise<void> {
  const { destination, progress, trace, io } = context;
  const stop = new AbortController();
  const signal = io.signal ? AbortSignal.any([io.signal, stop.signal]) : stop.signal;
  const writes = openWrites(2 * (options.lanes ?? 1));
  const kept = new Map<J, Kept>();
  try {
    for await (const event of restore(jobs, { ...options, signal })) {
      show(event, progress, context.position);
      if (event.type === 'start') for (const job of event.jobs) kept.set(job, { frames: [] });
      if (event.type === 'step') await keep(event, kept, trace);
      if (event.type === 'failure') {
        kept.delete(event.job);
        context.fail(event.job, event.error);
      }
      if (event.type !== 'result') continue;
      const { job, image, timing } = event;
      const { frames, loss } = kept.get(job) ?? { frames: [] };
      kept.delete(job);
      const result = context.collect({ job, image, frames, loss, timing });
      if (result === undefined) continue;
      await writes.add(async () => {
        try {
          await context.write(result);
        } catch (error) {
          const gone = await destination.missing();
          if (!gone && concernsOneFile(error)) context.fail(job, error);
          else stop.abort(resumable(gone ?? error));
        }
      });
    }
    await writes.done();
    stop.signal.throwIfAborted();
  } finally {
    await writes.done();
  }
}

interface Kept {
  readonly frames: Frame[];
  loss?: number;
}

function show<J extends Job>(
  event: RestoreEvent<J>,
  progress: readonly Progress[],
  position: (job: J) => number,
): void {
  if (event.type === 'start') {
    const first = position(event.jobs[0]);
    progress[event.lane]?.start({ first, size: event.jobs.length });
  } else if (event.type === 'step') {
    const { loss } = event.progress;
    progress[event.lane]?.step(event.taken, loss && Math.max(...loss));
  }
}

async function keep<J extends Job>(
  { jobs, taken, progress }: Extract<RestoreEvent<J>, { type: 'step' }>,
  kept: Map<J, Kept>,
  every: number | undefined,
): Promise<void> {
  const { loss } = progress;
  const traced = every !== undefined && isTraced(taken - 1, progress.step.index, every);
  const frames = traced ? await framesOf(progress) : [];
  jobs.forEach((job, i) => {
    const of = kept.get(job);
    if (!of) return;
    if (loss) of.loss = loss[i] as number;
    if (!traced) return;
    // A step that is taken again, as those are that are averaged, has one frame: its last.
    if (of.frames.at(-1)?.index === progress.step.index) of.frames.pop();
    of.frames.push(frames[i] as Frame);
  });
}

/** The failure that ends a run, with how to go on. */
function resumable(error: unknown): unknown {
  if (!(error instanceof UserError) || error.hint !== undefined) return error;
  const hint = 'what was finished is whole; put it right and run again with --resume';
  return new UserError(error.message, { cause: error.cause, hint });
}
