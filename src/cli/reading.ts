/** Reads inputs one after the other, as they are wanted. */
import { UserError } from '../errors.ts';
import type { Example } from './examples.ts';
import type { Input } from './inputs.ts';
import type { Report } from './report.ts';

/** What cannot be read is reported and passed over. */
export async function* readAll<T extends Pick<Example, 'notes'>>(
  inputs: readonly Input[],
  read: (input: Input) => Promise<T>,
  report: Report,
): AsyncGenerator<T> {
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
