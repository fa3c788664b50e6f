/** The JSON beside each result: all that is needed to judge it, and to make it again. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Card } from '../card/card.ts';
import { psnr } from '../metrics/psnr.ts';
import { ssim } from '../metrics/ssim.ts';
import { resizeLanczos } from '../image/resize.ts';
import { measuredValues } from '../operators/operator.ts';
import { residual } from '../pipeline/evaluate.ts';
import type { Degradation } from '../pipeline/degradation.ts';
import { contentOf, modelHash } from '../pipeline/content.ts';
import type { Model } from '../pipeline/model.ts';
import { valuesHash } from '../pipeline/record.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { sizeOf, type Example } from './examples.ts';
import type { Identified } from './identity.ts';
import type { Kept } from './kept.ts';
import { networkFacts, type NetworkFacts } from './network-facts.ts';
import { versions } from './version.ts';

export interface Quality {
  /** dB; null for equal images, where it is infinite. */
  readonly psnr: number | null;
  /** null for images smaller than its window. */
  readonly ssim: number | null;
}

export interface Measures {
  /** ‖y − A(x)‖₂ of the result before clipping and rounding. */
  readonly residual: number;
  /** σ√m, m values being measured: what the residual of the true image would be. */
  readonly expectedNoiseNorm?: number;
  readonly metrics?: {
    readonly definition: string;
    readonly result: Quality;
    readonly measurement: Quality;
    /** What of the measurement was compared. */
    readonly measurementAs: string;
  };
}

export interface ModelFacts extends NetworkFacts {
  /** Its name. */
  readonly card: string | null;
  readonly inferred: readonly string[];
}

/** With the card itself, as `--card-file` takes it: the one beside the model may change. */
export interface ModelRecord extends ModelFacts {
  readonly effectiveCard: Card;
}

export async function modelFacts(model: Model): Promise<ModelFacts> {
  const { file, card, inferred, parts } = model;
  // The hash of a pipeline is that of all its files already.
  const content = parts ? [await modelHash(model)] : await contentOf(model);
  return { ...networkFacts(file, content), card: card.name ?? null, inferred };
}

/** Without the names of classes: there may be thousands, and results follow from numbers. */
export function modelRecord(facts: ModelFacts, { card }: Pick<Model, 'card'>): ModelRecord {
  const { classes, ...rest } = card;
  if (!classes) return { ...facts, effectiveCard: card };
  const { names: _names, ...numbers } = classes;
  return { ...facts, effectiveCard: { ...rest, classes: numbers } };
}

/** What results follow from of a model's files, whatever these are called. */
export function digestsOf({ sha256: own, weights = [] }: ModelFacts): readonly string[] {
  return [own, ...weights];
}

const definition =
  'images clipped to [-1,1], before rounding to 8 bits; psnr in dB over all pixels and channels, ' +
  'data range 2; ssim of Wang et al. 2004, Gaussian window 11x11, sigma 1.5, mean of channels, ' +
  'on [0,1], data range 1';

/** How a result compares with its measurement and, where it is known, with the truth. */
export async function measure(example: Example, result: Tensor): Promise<Measures> {
  const { operator, measurement: y, sigma, clean } = example;
  const m = measuredValues(operator, y);
  return {
    ...(await residual(result, { operator, y })),
    ...(sigma !== undefined && { expectedNoiseNorm: sigma * Math.sqrt(m) }),
    ...(clean && {
      metrics: { definition, result: quality(clean, result), ...ofMeasurement(example, clean) },
    }),
  };
}

function ofMeasurement(
  { measurement, degradation }: Example,
  clean: Tensor,
): { measurement: Quality; measurementAs: string } {
  if (degradation.task !== 'sr')
    return { measurement: quality(clean, measurement), measurementAs: 'as it is' };
  const { height, width } = sizeOf(clean);
  const enlarged = resizeLanczos(measurement, height, width);
  return { measurement: quality(clean, enlarged), measurementAs: 'enlarged with Lanczos' };
}

function quality(clean: Tensor, image: Tensor): Quality {
  const { height, width } = sizeOf(clean);
  const decibels = psnr(clean, image);
  return {
    psnr: Number.isFinite(decibels) ? decibels : null,
    ssim: Math.min(height, width) < 11 ? null : ssim(clean, image),
  };
}

/** The operator, with digests for what is too large to write out. */
export function describeOperator(degradation: Degradation): object {
  switch (degradation.task) {
    case 'inpaint': {
      const { mask } = degradation;
      const kept = mask.data.reduce((n, v) => n + v, 0) / mask.data.length;
      return { task: 'inpaint', mask: { sha256: valuesHash(mask), kept } };
    }
    case 'sr':
      return degradation;
    case 'deblur': {
      if (!('kernel' in degradation)) return degradation;
      const { kernel } = degradation;
      return { task: 'deblur', kernel: { shape: kernel.shape, sha256: valuesHash(kernel) } };
    }
  }
}

/** The document of one result; all of it but `date` and `timing` is the same however often it is made. */
export async function sidecar(
  example: Example,
  image: Tensor,
  about: {
    readonly model: ModelRecord;
    readonly options: object;
    readonly identified: Identified;
    readonly result: Kept['result'];
    readonly measures: Measures;
    readonly samples?: object | undefined;
    readonly timing: object;
  },
): Promise<Kept> {
  const { input, degradation, sigma, notes } = example;
  const { height, width } = sizeOf(image);
  const { sha256: digest, identity } = about.identified;
  const { size } = await stat(input.file);
  return {
    schema: 1,
    versions: versions(),
    date: new Date().toISOString(),
    input: {
      file: path.basename(input.file),
      name: input.name,
      bytes: size,
      sha256: digest,
      notes,
    },
    image: { width, height },
    result: about.result,
    identity,
    model: about.model,
    options: about.options,
    operator: describeOperator(degradation),
    ...(sigma !== undefined && { noise: { sigma, range: '[-1,1]' } }),
    ...about.measures,
    ...(about.samples && { samples: about.samples }),
    timing: about.timing,
  };
}
