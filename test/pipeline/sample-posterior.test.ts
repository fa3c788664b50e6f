/** Samples of a posterior that is known. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { operators } from '../../src/operators/operators.ts';
import { loadModel } from '../../src/pipeline/model.ts';
import { posteriorOf, samplePosterior, sampleName } from '../../src/pipeline/posterior.ts';
import { openRestorer } from '../../src/pipeline/restore.ts';
import { tensor, zeros } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { mixtureGraph } from '../helpers/mixture.ts';

const folder = temporaryFolder();
const prior = {
  shape: [1, 2, 2] as const,
  weights: [1],
  means: [[0.3, -0.2, 0.1, 0.4]],
  variances: [[0.09, 0.04, 0.01, 0.09]],
};
const count = 64;
const file = path.join(folder, 'prior.onnx');
await writeFile(file, encodeGraph(mixtureGraph(prior, count)));
const options = {
  model: await loadModel(file, { clip: false }),
  method: { name: 'none' } as const,
  sampler: { name: 'ddpm', variance: 'fixed_small' } as const,
  steps: 100,
  seed: 3,
  session: { device: 'cpu', threads: 1 } as const,
};
const job = {
  name: 'x',
  measurement: tensor([1, 2, 2], Float32Array.of(0.5, 0, -0.2, 0.5)),
  operator: operators.inpainting({ mask: tensor([1, 2, 2], Float32Array.of(1, 0, 1, 1)) }),
};

describe('samplePosterior', () => {
  it('draws from the prior where nothing guides it', async () => {
    const { mean, deviation } = await samplePosterior(job, {
      ...options,
      samples: count,
      batch: count,
    });
    prior.means[0]!.forEach((expected, i) => {
      const sigma = Math.sqrt(prior.variances[0]![i]!);
      // Five standard errors of the mean, and of the deviation.
      expect(Math.abs(mean.data[i]! - expected)).toBeLessThan((5 * sigma) / Math.sqrt(count));
      expect(Math.abs(deviation.data[i]! / sigma - 1)).toBeLessThan(5 / Math.sqrt(2 * count));
    });
  });

  it('gives sample k the noise of its own name', async () => {
    const jobs = Array.from({ length: count }, (_, k) => ({ ...job, name: sampleName('x', k) }));
    const restorer = openRestorer(options);
    const run = restorer.restore(jobs);
    let next = await run.next();
    while (!next.done) next = await run.next();
    await restorer.release();
    const { samples } = await samplePosterior(job, { ...options, samples: count, batch: count });
    expect(samples).toEqual(next.value);
    expect(samples[0]).not.toEqual(samples[1]);
  });

  it('names noise as no image can be named, but that of the first sample', () => {
    expect(sampleName('deep/x', 0)).toBe('deep/x');
    const names = ['x', 'x#1', 'x1'].flatMap((name) => [1, 2, 11].map((k) => sampleName(name, k)));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toContain('\0');
  });

  it.each([0, 1, 2.5, NaN])('refuses %d samples', async (samples) => {
    await expect(samplePosterior(job, { ...options, samples })).rejects.toThrow(UserError);
  });
});

it('deviation is that of the samples, rms over channels', () => {
  const images = [
    [1, 0, 5, 5],
    [3, 0, 5, 11],
  ].map((values) => tensor([2, 1, 2], Float32Array.from(values)));
  const { mean, deviation } = posteriorOf(images);
  expect([...mean.data]).toEqual([2, 0, 5, 8]);
  // Variances 2 and 0 at the left pixel, 0 and 18 at the right one.
  expect(deviation).toEqual(tensor([1, 1, 2], Float32Array.of(1, 3)));
});

it.each([
  ['a larger one', [3, 2, 2], /samples: images of different shapes, \[3,1,2\] and \[3,2,2\]/],
  ['a smaller one', [1, 1, 2], /different shapes, \[3,1,2\] and \[1,1,2\]/],
  ['a batch', [1, 3, 1, 2], /different shapes, \[3,1,2\] and \[1,3,1,2\]/],
])('samples beside which there is %s have no mean', (_, shape, message) => {
  const call = () => posteriorOf([zeros([3, 1, 2]), zeros(shape)]);
  expect(call).toThrow(UserError);
  expect(call).toThrow(message);
});

it('batches are no samples', () => {
  const batch = zeros([1, 3, 2, 2]);
  expect(() => posteriorOf([batch, batch])).toThrow(/expected an image \[C,H,W\], got \[1,3,2,2\]/);
});
