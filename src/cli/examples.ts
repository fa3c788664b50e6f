/** From an input file to what a sampler needs: a measurement, and how it was made. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { fit, type FitMode, type Size } from '../image/fit.ts';
import { readImage } from '../image/read.ts';
import { imageShape, visible, type Operator } from '../operators/operator.ts';
import { degrade } from '../pipeline/degrade.ts';
import { operatorOf, type Degradation } from '../pipeline/degradation.ts';
import { readRecord, recordPath, refuseOtherMeasurement } from '../pipeline/record.ts';
import { noiseKey } from '../tensor/noise.ts';
import { sameShape, showShape, type Tensor } from '../tensor/tensor.ts';
import {
  degradationFor,
  planOf,
  refuseContradiction,
  type NotedPlan,
  type Plan,
} from './degradation.ts';
import type { DegradationValues } from './degradation-options.ts';
import { stemOf, type Input } from './inputs.ts';
import { refuseUnheld } from './memory.ts';

export interface Example {
  readonly input: Input;
  readonly degradation: Degradation;
  readonly operator: Operator;
  /** y, `[3,H,W]`. */
  readonly measurement: Tensor;
  /** Standard deviation of the measurement's noise on [-1,1], where it is known. */
  readonly sigma: number | undefined;
  /** What was measured, `[3,H,W]`, where it is known. */
  readonly clean: Tensor | undefined;
  /** What reading left out or changed. */
  readonly notes: readonly string[];
}

export interface SimulateOptions {
  readonly plan: Plan;
  readonly sigma: number;
  readonly seed: number;
  readonly fit: FitMode | undefined;
  /** The only size that the model takes, if there is one; padding to it is left to its canvas. */
  readonly fixed: Size | undefined;
}

/**
 * Degrades a clean image.
 * @throws UserError if it cannot be read or does not fit the operator
 */
export async function simulate(input: Input, options: SimulateOptions): Promise<Example> {
  const { plan, sigma, seed, fit: how, fixed } = options;
  const { image, notes } = await readImage(input.file);
  const before = sizeOf(image);
  const whole = how === 'pad' ? undefined : fixed;
  const after = how ? (whole ?? divisible(before, plan, how)) : before;
  refuseUnheld(after, input.file);
  const clean = how ? fit(image, after, how) : image;
  const key = noiseKey(seed, input.name);
  const degradation = degradationFor(plan, before, after, { fit: how, key });
  const operator = operatorOf(degradation);
  const measurement = await degrade(operator, clean, { sigma, seed, name: input.name });
  return { input, degradation, operator, measurement, sigma, clean, notes };
}

/** The nearest size that a super-resolution factor divides: below to crop, above to pad. */
function divisible({ height, width }: Size, plan: Plan, how: FitMode): Size {
  if (plan.task !== 'sr') return { height, width };
  const { scale } = plan;
  const round = { crop: Math.floor, pad: Math.ceil, resize: Math.round }[how];
  const nearest = (n: number): number => Math.max(1, round(n / scale)) * scale;
  return { height: nearest(height), width: nearest(width) };
}

export interface MeasurementOptions {
  readonly values: DegradationValues;
  /** What the options say, for inputs without a record. */
  readonly plan: Plan | undefined;
  readonly fixed: Size | undefined;
}

/**
 * What the options say, where some input has no record.
 * @throws UserError if that does not suffice to restore it
 */
export async function planForMeasurements(
  inputs: readonly Input[],
  values: DegradationValues,
): Promise<NotedPlan | undefined> {
  const bare = inputs.find(({ file }) => !existsSync(recordPath(stemOf(file))));
  if (!bare) return undefined;
  const { task, mask } = values;
  if (task === undefined)
    throw new UserError(
      `${bare.file}: there is no --task, and no ${path.basename(recordPath(stemOf(bare.file)))} beside it`,
      { hint: 'give --task inpaint, --task sr or --task deblur' },
    );
  if (task === 'inpaint' && (mask === undefined || mask === 'random' || mask === 'box'))
    throw new UserError(
      `--task inpaint needs the mask of the measurement${mask ? `, which --mask ${mask} would not be` : ''}`,
      { hint: 'give --mask FILE, or --simulate if the inputs are clean images' },
    );
  return planOf(values);
}

/**
 * Reads a measurement and, from its record or else the options, how it was made.
 * @throws UserError if one cannot be read or they do not fit each other
 */
export async function readMeasurement(
  input: Input,
  { values, plan, fixed }: MeasurementOptions,
): Promise<Example> {
  const stem = stemOf(input.file);
  const { image, notes } = await readImage(input.file);
  const recorded = existsSync(recordPath(stem)) ? await readRecord(stem) : undefined;
  if (recorded) {
    const record = path.basename(recordPath(stem));
    await refuseOtherMeasurement(input.file, recorded.record, stem);
    const { degradation, record: written } = recorded;
    await refuseContradiction(values, { degradation, sigma: written.noise.sigma }, record);
  }
  const source = recorded?.degradation ?? (plan as Plan);
  const before = sizeOf(image);
  const { fit: how } = values;
  // Padding is the network's canvas around the image, not made-up pixels of a measurement.
  const after = how && how !== 'pad' && fixed ? measuredSize(source, fixed) : before;
  const fitted = how ? fit(image, after, how) : image;
  // Masks are never drawn for a measurement, so that the key is of no consequence.
  const degradation = degradationFor(source, before, after, { fit: values.fit, key: [0, 0] });
  const operator = operatorOf(degradation);
  const shape = imageShape(fitted);
  const whole = operator.restored(shape);
  refuseUnheld({ height: whole[1], width: whole[2] }, input.file);
  const expected = operator.measured(whole);
  if (!sameShape(shape, expected))
    throw new UserError(
      `${input.file}: a measurement of ${showShape(shape)}, where ${showShape(expected)} is needed`,
    );
  return {
    input,
    degradation,
    operator,
    measurement: visible(operator, fitted),
    sigma: recorded?.record.noise.sigma ?? values.noise,
    clean: undefined,
    notes,
  };
}

/** The size of measurements of images of `size`. */
function measuredSize(source: Plan, { height, width }: Size): Size {
  if (source.task !== 'sr') return { height, width };
  const { scale } = source;
  if (height % scale !== 0 || width % scale !== 0)
    throw new UserError(`the model takes ${width}×${height} only, which ${scale} does not divide`, {
      hint: 'choose another --scale or --model',
    });
  return { height: height / scale, width: width / scale };
}

export function sizeOf(image: Tensor): Size {
  const [, height, width] = imageShape(image);
  return { height, width };
}
