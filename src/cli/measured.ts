/** Writes measurements with the record of how they were made. */
import path from 'node:path';
import { sha256 } from '../files/sha256.ts';
import type { ImageFormat } from '../image/formats.ts';
import { writeRecorded } from '../pipeline/record.ts';
import { encodeResult } from './destination.ts';
import { sizeOf, type Example } from './examples.ts';
import { version } from './version.ts';

/**
 * Writes each of `files` in the format that it ends with, and `STEM.operator.json` for the last of
 * them, with mask or kernel; together, so that a record never lies beside another measurement.
 * @returns all files written
 */
export async function writeMeasured(
  stem: string,
  files: readonly { readonly file: string; readonly format: ImageFormat }[],
  example: Example,
  seed: number,
): Promise<string[]> {
  const { input, measurement, degradation, sigma = 0, clean = measurement } = example;
  const measurements = await Promise.all(
    files.map(async ({ file, format }) => {
      return { path: file, content: await encodeResult(measurement, format) };
    }),
  );
  return writeRecorded(stem, measurements, degradation, {
    dsg: version,
    measurement: path.basename(measurements.at(-1)?.path as string),
    noise: { sigma, range: '[-1,1]' },
    seed,
    name: input.name,
    clean: { ...sizeOf(clean), sha256: await sha256(input.file) },
  });
}
