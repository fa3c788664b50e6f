/** Makes any number of images, side by side and in batches. */
import { availableParallelism } from 'node:os';
import { UserError } from '../errors.ts';
import { NonFiniteError } from '../samplers/finite.ts';
import { chooseDevice } from '../session/device.ts';
import { openThread, type SessionThread } from '../session/thread.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { batches, type Batch } from './batches.ts';
import { fittingBatch, freeMemory } from './footprint.ts';
import type { Job } from './job.ts';
import { openRestorer, type Progress, type Restorer, type RestoreOptions } from './restore.ts';
import { ahead, merge } from './streams.ts';

export interface StreamOptions extends RestoreOptions {
  /** Images a run of the network; `auto` takes what memory holds, up to 8. 1 if left out. */
  readonly batch?: number | 'auto' | undefined;
  /** Batches restored side by side, each with its share of the cores. 1 if left out. */
  readonly lanes?: number | undefined;
  /** Heeded between two steps: the iterator then throws its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Timing {
  /** Images in the batch, which took the seconds together. */
  readonly batch: number;
  readonly seconds: number;
  /** Mean over all steps but the first, which prepares the graphs. */
  readonly secondsPerStep: number;
}

/** What happens, in the order it does. `lane` counts from 0. */
export type RestoreEvent<J extends Job = Job> =
  | { readonly type: 'start'; readonly lane: number; readonly jobs: Batch<J> }
  | {
      readonly type: 'step';
      readonly lane: number;
      readonly jobs: Batch<J>;
      /** Steps done by now, from 1. */
      readonly taken: number;
      readonly progress: Progress;
    }
  | {
      readonly type: 'result';
      readonly job: J;
      /** `[C,H,W]` */
      readonly image: Tensor;
      readonly timing: Timing;
    }
  /** The image diverged; those beside it in the batch begin anew without it. */
  | { readonly type: 'failure'; readonly job: J; readonly error: NonFiniteError };

/**
 * Restores or generates `jobs` on threads of its own, which end with the iterator. Jobs are taken only as far
 * ahead as keeps every lane busy. What an image becomes does not depend on batch, lanes or order.
 * @throws UserError if a job does not fit its operator or the model, or an option is none;
 *   the signal's reason
 */
export async function* restore<J extends Job>(
  jobs: AsyncIterable<J> | Iterable<J>,
  options: StreamOptions,
): AsyncGenerator<RestoreEvent<J>, void, undefined> {
  const { batch = 1, lanes = 1, signal } = options;
  for (const [what, count] of Object.entries({ lanes, ...(batch !== 'auto' && { batch }) }))
    if (!Number.isInteger(count) || count < 1)
      throw new UserError(`${what} is ${count}, expected a whole number from 1`);
  const stop = new AbortController();
  const stopped = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const queue = ahead(batches(jobs, mostInBatch(options)), lanes);
  const lane = { queue, options, signal: stopped };
  try {
    yield* merge(Array.from({ length: lanes }, (_, i) => runLane(i, lane)));
  } finally {
    stop.abort();
    await queue.return(undefined);
  }
}

/** How many images like a job's a batch may have. */
function mostInBatch(options: StreamOptions): (job: Job) => number | Promise<number> {
  const { batch = 1, lanes = 1, session } = options;
  if (batch !== 'auto') return () => batch;
  // Asked before any session takes its part, and keeps it.
  const free = freeMemory(chooseDevice(session?.device ?? 'cpu'));
  return (job) => (free === undefined ? 1 : fittingBatch(job, free, { ...options, lanes }));
}

interface Lane<J extends Job> {
  /** Shared by all lanes: each batch goes to one. */
  readonly queue: AsyncGenerator<Batch<J>>;
  readonly options: StreamOptions;
  readonly signal: AbortSignal;
}

async function* runLane<J extends Job>(
  index: number,
  { queue, options, signal }: Lane<J>,
): AsyncGenerator<RestoreEvent<J>> {
  let opened: { restorer: Restorer; thread: SessionThread } | undefined;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await queue.next();
      if (done) return;
      opened ??= await openLane(options);
      yield* sampleAll(index, value, { restorer: opened.restorer, signal });
    }
  } finally {
    // A thread that is left open keeps the process alive.
    await opened?.restorer.release().finally(() => opened?.thread.close());
  }
}

async function openLane(
  options: StreamOptions,
): Promise<{ restorer: Restorer; thread: SessionThread }> {
  const { lanes = 1, session } = options;
  const share = lanes === 1 ? undefined : Math.ceil(availableParallelism() / lanes);
  const thread = openThread();
  const here = { ...session, threads: session?.threads ?? share, thread };
  try {
    return { thread, restorer: openRestorer({ ...options, session: here }) };
  } catch (error) {
    await thread.close();
    throw error;
  }
}

/** One batch; after an image that diverges, the others begin anew. */
async function* sampleAll<J extends Job>(
  lane: number,
  batch: Batch<J>,
  given: { restorer: Restorer; signal: AbortSignal },
): AsyncGenerator<RestoreEvent<J>> {
  let left: readonly J[] = batch;
  while (isBatch(left)) {
    try {
      yield* sample(lane, left, given);
      return;
    } catch (error) {
      if (!(error instanceof NonFiniteError)) throw error;
      const job = left[error.image] as J;
      yield { type: 'failure', job, error };
      left = left.filter((other) => other !== job);
    }
  }
}

function isBatch<J extends Job>(jobs: readonly J[]): jobs is Batch<J> {
  return jobs.length > 0;
}

async function* sample<J extends Job>(
  lane: number,
  jobs: Batch<J>,
  { restorer, signal }: { restorer: Restorer; signal: AbortSignal },
): AsyncGenerator<RestoreEvent<J>> {
  yield { type: 'start', lane, jobs };
  const began = performance.now();
  let [taken, first] = [0, began];
  const run = restorer.restore(jobs, signal);
  try {
    for (;;) {
      const { value, done } = await run.next();
      const now = performance.now();
      if (done) {
        const perStep = taken > 1 ? (now - first) / (taken - 1) : now - began;
        const seconds = (now - began) / 1000;
        const timing = { batch: jobs.length, seconds, secondsPerStep: perStep / 1000 };
        for (const [i, job] of jobs.entries())
          yield { type: 'result', job, image: value[i] as Tensor, timing };
        return;
      }
      if (taken++ === 0) first = now;
      yield { type: 'step', lane, jobs, taken, progress: value };
    }
  } finally {
    // The restorer's own clean-up, should the consumer leave in the middle.
    await run.return([]);
  }
}
