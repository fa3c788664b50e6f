/** Groups images that can be restored in one run of the network. */
import { UserError } from '../errors.ts';
import type { Example } from './examples.ts';
import type { Input } from './inputs.ts';
import type { Report } from './report.ts';

export type Batch = readonly [Example, ...Example[]];

/** Reads inputs one after the other; what cannot be read is reported and passed over. */
export async function* readAll(
  inputs: readonly Input[],
  read: (input: Input) => Promise<Example>,
  report: Report,
): AsyncGenerator<Example> {
  for (const input of inputs) {
    try {
      const example = await read(input);
      for (const note of example.notes) report.note(`note: ${input.file}: ${note}`);
      yield example;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      report.failure(input.file, error);
    }
  }
}

/** Consecutive examples of one operator graph and size, up to `most` at a time. */
export async function* batches(
  examples: AsyncIterable<Example>,
  most: number,
): AsyncGenerator<Batch> {
  let batch: [Example, ...Example[]] | undefined;
  for await (const example of examples) {
    const joins = batch && batch.length < most && kindOf(batch[0]) === kindOf(example);
    if (batch && joins) batch.push(example);
    else {
      if (batch) yield batch;
      batch = [example];
    }
    // A full batch does not wait for the next image to be read.
    if (batch.length === most) {
      yield batch;
      batch = undefined;
    }
  }
  if (batch) yield batch;
}

function kindOf({ operator, measurement }: Example): string {
  return [operator.signature, ...measurement.shape].join();
}
