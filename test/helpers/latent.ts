/** Tiny latent pipelines and what diffusers makes of them: test/pipeline/latent/make.py. */
import { cpSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readNpy } from '../../src/tensor/npy.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from './folder.ts';

const fixtures = fileURLToPath(new URL('../fixtures/latent', import.meta.url));

/** ε-prediction, and v-prediction with another padding of prompts. */
export const pipelines = ['sd15', 'sd21'] as const;
export type Pipeline = (typeof pipelines)[number];

export const pipelineFolder = (name: Pipeline): string => path.join(fixtures, name);

/** A copy that can be spoilt. */
export function copiedPipeline(name: Pipeline = 'sd15'): string {
  const folder = path.join(temporaryFolder(), name);
  cpSync(pipelineFolder(name), folder, { recursive: true });
  return folder;
}

/** `x_T`, `latent`, `image`, `embedding` or `encoded`. */
export function expectedOf(name: Pipeline, what: string): Promise<Tensor> {
  return readNpy(path.join(fixtures, name, 'expected', `${what}.npy`));
}

/** The prompts of the expected images. */
export const prompts = { prompt: 'a photo of a cat', negative: 'blurry, bad' } as const;

export function largestDifference({ data: a }: Tensor, { data: b }: Tensor): number {
  return a.reduce((most, v, i) => Math.max(most, Math.abs(v - (b[i] ?? NaN))), 0);
}
