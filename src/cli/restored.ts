/** Writes what a batch gave: image first, sidecar last, so that a sidecar means a whole result. */
import { writeAtomic } from '../files/atomic.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { writeResult, type Destination } from './destination.ts';
import type { Example } from './examples.ts';
import { writeMeasured } from './measured.ts';
import type { Report } from './report.ts';
import { measure, sidecar, type Measures, type ModelFacts, type Quality } from './sidecar.ts';
import { writeTrace, type Frame } from './trace.ts';

export interface Restored {
  readonly example: Example;
  /** `[3,H,W]`. */
  readonly image: Tensor;
  /** Empty without `--trace`. */
  readonly frames: readonly Frame[];
}

export interface Timing {
  /** Images in the batch, which took the seconds together. */
  readonly batch: number;
  readonly seconds: number;
  /** Mean over all steps but the first, which prepares the graphs. */
  readonly secondsPerStep: number;
}

export interface WriteOptions {
  readonly destination: Destination;
  readonly simulated: boolean;
  readonly seed: number;
  readonly model: ModelFacts;
  /** The effective options, for the sidecar. */
  readonly options: object;
  readonly timing: Timing;
  readonly report: Report;
}

/** Writes one image's files and reports it. */
export async function writeRestored(
  { example, image, frames }: Restored,
  { destination, simulated, seed, model, options, timing, report }: WriteOptions,
): Promise<void> {
  const { name } = example.input;
  const stem = destination.stem(name);
  const file = destination.result(name);
  const measures = await measure(example, image);
  await writeResult(file, image, destination.format);
  const others = simulated
    ? await writeMeasured(stem, measurementFiles(stem, destination), example, seed)
    : [];
  if (frames.length > 0) others.push(...(await writeTrace(stem, frames)));
  const document = await sidecar(example, image, { model, options, measures, timing });
  await writeAtomic(`${stem}.json`, `${JSON.stringify(document, undefined, 2)}\n`);
  const files = { image: file, sidecar: `${stem}.json`, others };
  report.result(line(file, measures), { ...document, files });
}

/** The measurement to look at and, where results are exact, the exact one. */
function measurementFiles(
  stem: string,
  { format }: Destination,
): { file: string; format: 'png' | 'npy' }[] {
  const formats = format === 'npy' ? (['png', 'npy'] as const) : (['png'] as const);
  return formats.map((f) => ({ file: `${stem}.measurement.${f}`, format: f }));
}

function line(file: string, { metrics, residual, expectedNoiseNorm }: Measures): string {
  if (metrics) {
    const enlarged = metrics.measurementAs === 'as it is' ? '' : `, ${metrics.measurementAs}`;
    const before = `(measurement: ${show(metrics.measurement)}${enlarged})`;
    return `${file}  ${show(metrics.result)}  ${before}`;
  }
  const expected =
    expectedNoiseNorm === undefined ? '' : `, of the noise ${expectedNoiseNorm.toPrecision(4)}`;
  return `${file}  residual ${residual.toPrecision(4)}${expected}`;
}

function show({ psnr, ssim }: Quality): string {
  const decibels = psnr === null ? 'inf' : psnr.toFixed(2);
  return `PSNR ${decibels} dB${ssim === null ? '' : `  SSIM ${ssim.toFixed(4)}`}`;
}
