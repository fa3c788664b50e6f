/** Writes measurements with the record of how they were made. */
import { sha256 } from '../files/sha256.ts';
import type { ImageFormat } from '../image/formats.ts';
import { writeRecord } from '../pipeline/record.ts';
import path from 'node:path';
import { writeResult } from './destination.ts';
import { sizeOf, type Example } from './examples.ts';
import { version } from './version.ts';

/**
 * Writes each of `files` in the format that it ends with, and `STEM.operator.json` for the last of
 * them, with mask or kernel.
 * @returns all files written
 */
export async function writeMeasured(
  stem: string,
  files: readonly { readonly file: string; readonly format: ImageFormat }[],
  example: Example,
  seed: number,
): Promise<string[]> {
  const { input, measurement, degradation, sigma = 0, clean = measurement } = example;
  for (const { file, format } of files) await writeResult(file, measurement, format);
  const paths = files.map(({ file }) => file);
  const record = await writeRecord(stem, degradation, {
    dsg: version,
    measurement: path.basename(paths.at(-1) as string),
    noise: { sigma, range: '[-1,1]' },
    seed,
    name: input.name,
    clean: { ...sizeOf(clean), sha256: await sha256(input.file) },
  });
  return [...paths, ...record];
}
