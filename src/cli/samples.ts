/** `--samples`: each image is restored several times, and gathered again. */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolderWithin } from '../files/folder.ts';
import { removeLeftovers } from '../files/leftovers.ts';
import { heatMap } from '../image/heat.ts';
import { writeImage } from '../image/write.ts';
import type { ImageFormat } from '../image/formats.ts';
import { sampleName, type Posterior } from '../pipeline/posterior.ts';
import type { Timing } from '../pipeline/stream.ts';
import { writeNpy } from '../tensor/npy.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { writeResult } from './destination.ts';
import type { Example } from './examples.ts';
import type { Input } from './inputs.ts';
import { measure } from './sidecar.ts';

/** Deviations from this on have the heat map's brightest colour; images span 2. */
export const brightest = 0.25;

/** One of the samples that an image is to have, from 0. */
export interface Sample {
  readonly input: Input;
  readonly sample: number;
  /** Names its noise. */
  readonly name: string;
}

/** Each job as often as its image is to be sampled, but no more once that has failed. */
export async function* repeated<J extends { readonly input: Input }>(
  jobs: AsyncIterable<J>,
  count: number,
  failed: ReadonlySet<Input>,
): AsyncGenerator<J & Sample> {
  for await (const job of jobs)
    for (let sample = 0; sample < count && !failed.has(job.input); sample++)
      yield { ...job, sample, name: sampleName(job.input.name, sample) };
}

/** Keeps samples until an image has all of its own. */
export interface Gathering {
  /** All samples in their order, once the last of them is there. */
  add(
    job: Sample,
    image: Tensor,
    timing: Timing,
  ): { readonly samples: readonly Tensor[]; readonly timing: Timing } | undefined;
  /** Forgets what there is of an image. */
  drop(input: Input): void;
}

export function openGathering(count: number): Gathering {
  const kept = new Map<Input, { samples: Tensor[]; timings: Set<Timing> }>();
  return {
    add({ input, sample }, image, timing) {
      const { samples, timings } = kept.get(input) ?? { samples: [], timings: new Set() };
      kept.set(input, { samples, timings });
      samples[sample] = image;
      // Samples of one batch have one timing between them.
      timings.add(timing);
      if (Object.keys(samples).length < count) return undefined;
      kept.delete(input);
      const seconds = [...timings].reduce((sum, t) => sum + t.seconds, 0);
      return { samples, timing: { ...timing, seconds } };
    },
    drop: (input) => void kept.delete(input),
  };
}

const sampleFile = /^\d{3,}\.(png|webp|tiff|npy)$/;

/** Where `writeSamples` writes to. */
export function samplePaths(stem: string): { folder: string; map: string; exact: string } {
  const deviation = `${stem}.deviation`;
  return { folder: `${stem}.samples`, map: `${deviation}.png`, exact: `${deviation}.npy` };
}

/**
 * Writes `STEM.samples/000.png` and so on, and their deviation as `STEM.deviation.png`; where
 * results are exact, as `STEM.deviation.npy` too.
 * @returns the paths of all, and what the sidecar says of them
 */
export async function writeSamples(
  stem: string,
  { samples, deviation }: Posterior,
  { example, format }: { readonly example: Example; readonly format: ImageFormat },
): Promise<{ files: string[]; facts: object }> {
  const { folder, map, exact } = samplePaths(stem);
  await makeFolderWithin(folder);
  await removeLeftovers(folder);
  // Samples of a run with more of them would pass for this one's.
  for (const name of await readdir(folder))
    if (sampleFile.test(name)) await rm(path.join(folder, name));
  const each: object[] = [];
  const files: string[] = [];
  for (const [i, image] of samples.entries()) {
    const name = `${String(i).padStart(3, '0')}.${format}`;
    files.push(path.join(folder, name));
    await writeResult(path.join(folder, name), image, format);
    const { residual, metrics } = await measure(example, image);
    each.push({ file: name, residual, ...(metrics && metrics.result) });
  }
  await writeImage(map, heatMap(deviation, brightest), 'png');
  files.push(map);
  if (format === 'npy') {
    files.push(exact);
    await writeNpy(exact, deviation);
  }
  const definition =
    'standard deviation of the samples at each pixel on [-1,1], K - 1 in the denominator, rms of ' +
    `channels; in the picture, black is 0 and the brightest colour ${brightest} or more`;
  return { files, facts: { each, deviation: { definition, rms: rms(deviation) } } };
}

function rms({ data }: Tensor): number {
  return Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);
}
