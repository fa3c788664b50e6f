/** Makes measurements of clean images. */
import type { ImageFormat } from '../image/formats.ts';
import { recordedFiles, recordFiles } from '../pipeline/record.ts';
import { planOf, sigmaOf } from './degradation.ts';
import { readAll } from './reading.ts';
import type { DegradeValues } from './commands/degrade.ts';
import { openDestination } from './destination.ts';
import { simulate } from './examples.ts';
import { findInputs } from './inputs.ts';
import type { Io } from './io.ts';
import { writeMeasured } from './measured.ts';
import { filesRead } from './preparing.ts';
import { removeReplaced } from './replaced.ts';
import { placesRead, refuseReplacing } from './replacing.ts';
import { openReport } from './report.ts';
import { describeOperator } from './sidecar.ts';

/** @returns the exit code: 1 if some image failed */
export async function degradeAll(
  paths: readonly string[],
  values: DegradeValues,
  io: Io,
): Promise<number> {
  const { seed, fit } = values;
  const inputs = await findInputs(paths, {
    except: values.output,
    from: 'clean',
    stdin: io.stdin,
    base: values.base,
  });
  const { plan, notes } = await planOf(values);
  const options = { plan, sigma: sigmaOf(values), seed, fit };
  const destination = await openDestination(values.output, inputs, values.format);
  const { format } = destination;
  const filesOf = (name: string): { file: string; format: ImageFormat }[] => {
    const main = { file: destination.result(name), format };
    const preview = { file: `${destination.stem(name)}.measurement.png`, format: 'png' } as const;
    return format === 'npy' ? [preview, main] : [main];
  };
  const read = await placesRead(inputs, filesRead(values));
  await refuseReplacing(destination, {
    names: inputs.map(({ name }) => name),
    read,
    beside: (name) => [
      ...filesOf(name).map(({ file }) => file),
      ...recordFiles(destination.stem(name)),
    ],
  });
  const report = openReport(io, { ...values, inputs: inputs.length });
  for (const note of notes) report.note(`note: ${note}`);
  try {
    const measure = (input: (typeof inputs)[number]) =>
      simulate(input, { ...options, fixed: undefined });
    for await (const example of readAll(inputs, measure, report)) {
      io.signal?.throwIfAborted();
      const { name } = example.input;
      await destination.makeFolder(name);
      const stem = destination.stem(name);
      const before = await recordedFiles(stem);
      const written = await writeMeasured(stem, filesOf(name), example, seed);
      await removeReplaced(stem, { ...destination, read, before, now: written });
      report.result(destination.result(name), {
        name,
        operator: describeOperator(example.degradation),
        noise: { sigma: example.sigma, range: '[-1,1]' },
        seed,
        files: written,
      });
    }
  } finally {
    report.end();
  }
  if (report.results() > 0) report.next(`dsg restore ${values.output} -o restored`);
  return report.exitCode();
}
