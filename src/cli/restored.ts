/** Writes a result: image first, sidecar last, so that a sidecar means a whole result. */
import type { ImageFormat } from '../image/formats.ts';
import type { Posterior } from '../pipeline/posterior.ts';
import { recordFiles } from '../pipeline/record.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { RestoreValues } from './commands/restore.ts';
import { writeResult, type Destination } from './destination.ts';
import type { Example } from './examples.ts';
import type { Identified } from './identity.ts';
import { resultOf, sidecarPath, type Kept } from './kept.ts';
import { writeMeasured } from './measured.ts';
import { writeSidecar } from './replaced.ts';
import type { Places } from './replacing.ts';
import type { Report } from './report.ts';
import { samplePaths, writeSamples } from './samples.ts';
import { measure, sidecar, type ModelRecord, type Quality } from './sidecar.ts';
import { tracePaths, writeTrace, type Frame } from './trace.ts';

export interface Restored {
  readonly example: Example;
  readonly identified: Identified;
  /** `[3,H,W]`; the mean of the samples where there are several. */
  readonly image: Tensor;
  readonly posterior: Posterior | undefined;
  /** Empty without `--trace`. */
  readonly frames: readonly Frame[];
  readonly timing: object;
  /** The effective options, for the sidecar. */
  readonly options: object;
}

export interface WriteOptions {
  readonly destination: Destination;
  readonly simulated: boolean;
  readonly seed: number;
  readonly model: ModelRecord;
  readonly read: Places;
  readonly report: Report;
}

/**
 * Writes one image's files and reports it.
 * @throws UserError if one cannot be written; there is no sidecar then
 */
export async function writeRestored(
  { example, identified, image, posterior, frames, timing, options }: Restored,
  { destination, simulated, seed, model, read, report }: WriteOptions,
): Promise<void> {
  const { name } = example.input;
  const stem = destination.stem(name);
  const file = destination.result(name);
  const measures = await measure(example, image);
  await destination.makeFolder(name);
  await writeResult(file, image, destination.format);
  const others = simulated
    ? await writeMeasured(stem, measurementFiles(stem, destination.format), example, seed)
    : [];
  if (frames.length > 0) others.push(...(await writeTrace(stem, frames)));
  const { format } = destination;
  const samples = posterior && (await writeSamples(stem, posterior, { example, format }));
  if (samples) others.push(...samples.files);
  const result = await resultOf(file, others);
  const about = { model, options, identified, result, measures, samples: samples?.facts, timing };
  const document = await sidecar(example, image, about);
  const files = await writeSidecar(stem, document, { ...destination, read });
  report.result(lineOf(file, measures), { ...document, files }, name);
}

/** All that `writeRestored` may write besides the result. */
export function besideRestored(
  stem: string,
  format: ImageFormat,
  { simulate, samples, trace }: Pick<RestoreValues, 'simulate' | 'samples' | 'trace'>,
): string[] {
  const measured = measurementFiles(stem, format).map(({ file }) => file);
  return [
    sidecarPath(stem),
    ...(simulate ? [...measured, ...recordFiles(stem)] : []),
    ...(samples > 1 ? Object.values(samplePaths(stem)) : []),
    ...(trace === undefined ? [] : Object.values(tracePaths(stem))),
  ];
}

/** The measurement to look at and, where results are exact, the exact one. */
function measurementFiles(
  stem: string,
  format: ImageFormat,
): { file: string; format: 'png' | 'npy' }[] {
  const formats = format === 'npy' ? (['png', 'npy'] as const) : (['png'] as const);
  return formats.map((f) => ({ file: `${stem}.measurement.${f}`, format: f }));
}

/** A result in one line: where it is, and how good. */
export function lineOf(
  file: string,
  {
    metrics,
    residual,
    expectedNoiseNorm,
    loss,
  }: Pick<Kept, 'metrics' | 'residual' | 'expectedNoiseNorm' | 'loss'>,
): string {
  if (metrics) {
    const enlarged = metrics.measurementAs === 'as it is' ? '' : `, ${metrics.measurementAs}`;
    const before = `(measurement: ${show(metrics.measurement)}${enlarged})`;
    return `${file}  ${show(metrics.result)}  ${before}`;
  }
  if (residual === undefined)
    return loss === undefined ? file : `${file}  loss ${loss.toPrecision(4)}`;
  const expected =
    expectedNoiseNorm === undefined ? '' : `, of the noise ${expectedNoiseNorm.toPrecision(4)}`;
  return `${file}  residual ${residual.toPrecision(4)}${expected}`;
}

function show({ psnr, ssim }: Quality): string {
  const decibels = psnr === null ? 'inf' : psnr.toFixed(2);
  return `PSNR ${decibels} dB${ssim === null ? '' : `  SSIM ${ssim.toFixed(4)}`}`;
}
