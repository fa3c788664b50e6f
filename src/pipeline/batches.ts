/** Groups images that can be restored in one run of the network. */
import { lossesOf, type Job } from './job.ts';

export type Batch<J extends Job> = readonly [J, ...J[]];

/**
 * Consecutive jobs of one size, method and set of losses, up to `most` of that kind at a time.
 * @param most asked once for each kind
 */
export async function* batches<J extends Job>(
  jobs: AsyncIterable<J> | Iterable<J>,
  most: (job: J) => number | Promise<number>,
): AsyncGenerator<Batch<J>> {
  const limits = new Map<string, number>();
  let open: { kind: string; limit: number; batch: [J, ...J[]] } | undefined;
  for await (const job of jobs) {
    const kind = kindOf(job);
    if (open?.kind === kind) open.batch.push(job);
    else {
      if (open) yield open.batch;
      const limit = limits.get(kind) ?? (await most(job));
      limits.set(kind, limit);
      open = { kind, limit, batch: [job] };
    }
    // A full batch does not wait for the next image to be read.
    if (open.batch.length >= open.limit) {
      yield open.batch;
      open = undefined;
    }
  }
  if (open) yield open.batch;
}

function kindOf(job: Job): string {
  const { height, width } = 'size' in job ? job.size : { height: 0, width: 0 };
  const losses = lossesOf(job).map((l) => l.signature);
  return [height, width, ...losses, JSON.stringify(job.method)].join();
}
