/** Whether a network denoises as its card says, or as another card would say. */
import type { Card } from '../card/card.ts';
import { isFloat } from '../onnx/dtype.ts';
import type { Graph } from '../onnx/graph.ts';
import { openGraph, type Session, type SessionOptions } from '../session/session.ts';
import { gaussian, noiseKey } from '../tensor/noise.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Size } from './canvas.ts';
import { classCondition, type Feeds } from './condition.ts';
import { drawing } from './drawing.ts';
import { stackFeeds, timestepFeed } from './feeds.ts';
import { betasOf, graphFor, type Model } from './model.ts';

/** What a card might have wrong, and the check can tell. */
export interface Reading extends Pick<Card, 'prediction' | 'range' | 'timestepScale'> {
  readonly schedule: Card['schedule']['name'];
}

export interface Fit extends Reading {
  /** Mean squared error of the predicted ε beside the true noise, at each of the levels. */
  readonly errors: readonly number[];
  /**
   * Geometric mean over the levels of that error beside the best linear guess's, which knows the
   * image's variance only. 1 is no better than that; denoisers lie well below.
   */
  readonly score: number;
}

export interface Check {
  /** √(1−ᾱ)/√ᾱ of each level: noise in units of the image. */
  readonly levels: readonly number[];
  /** What the linear guess's error is at each. */
  readonly linear: readonly number[];
  readonly claimed: Fit;
  /** The reading that fits best, which may be the claimed one. */
  readonly best: Fit;
  /**
   * `right`: it denoises, and no other reading does it notably better. `wrong`: the best one does.
   * `unclear`: none denoises: this is no ε-model, or not one of such images.
   */
  readonly verdict: 'right' | 'wrong' | 'unclear';
}

const levels = [0.1, 0.3, 1, 3, 10];
/** A denoiser leaves less than this of the linear guess's error. */
const denoises = 0.5;
/** How much better another reading must be before the card is called wrong: its score over the card's. */
const notably = 0.8;

/**
 * Adds noise to a drawn image at several levels and compares the ε predicted with the noise, for
 * the card as it is and for every other prediction type, schedule and range. All readings see the
 * same noise levels: each is told the timestep at which its schedule has that level.
 */
export async function checkModel(
  model: Model,
  canvas: Size,
  options: SessionOptions = {},
): Promise<Check> {
  const shape = [1, model.channels, canvas.height, canvas.width];
  const image = drawing(shape);
  const key = noiseKey(0, 'check');
  const noises = levels.map((_, i) => gaussian(key, 'sample', i, shape));
  const variance = image.data.reduce((sum, v) => sum + v * v, 0) / image.data.length;
  const linear = levels.map((sigma) => variance / (variance + sigma * sigma));
  const session = await openGraph(await networkOf(model, canvas), options);
  const given = { session, image, noises };
  try {
    const claims = await fitsOf(model, model.card, given, linear);
    const claimed = claims.find((f) => f.prediction === model.card.prediction) as Fit;
    const fits = [...claims];
    for (const setting of others(model.card))
      fits.push(...(await fitsOf(model, setting, given, linear)));
    if (Math.min(...fits.map((f) => f.score)) > denoises && isFloat(model.timestep.dtype))
      for (const timestepScale of otherScales(model.card))
        fits.push(...(await fitsOf(model, { ...model.card, timestepScale }, given, linear)));
    return { levels, linear, claimed, ...judged(claimed, fits) };
  } finally {
    await session.release();
  }
}

/**
 * A network of the wider range denoises the narrower one as well, which to it is an image of less
 * contrast; a network of the narrower one fails outside. So the wider is believed where both fit.
 */
function judged(claimed: Fit, fits: readonly Fit[]): Pick<Check, 'best' | 'verdict'> {
  const rank = (f: Fit): number => f.score * (f.range === '[0,1]' ? 1 : notably);
  const best = fits.reduce((a, b) => (rank(b) < rank(a) ? b : a));
  if (best.score > denoises) return { best, verdict: 'unclear' };
  const right = notably * rank(claimed) <= rank(best) && claimed.range === best.range;
  return right ? { best: claimed, verdict: 'right' } : { best, verdict: 'wrong' };
}

type Setting = Pick<Card, 'schedule' | 'range' | 'timestepScale'>;

/** Every other schedule and range. */
function others(card: Card): Setting[] {
  const { timestepScale } = card;
  const { timesteps } = card.schedule;
  const schedules = [
    card.schedule,
    ...(['linear', 'scaled_linear', 'cosine'] as const)
      .filter((name) => name !== card.schedule.name)
      .map((name) => ({ name, timesteps })),
  ];
  const ranges = (['[-1,1]', '[0,1]'] as const).toSorted((a) => (a === card.range ? -1 : 1));
  return ranges
    .flatMap((range) => schedules.map((schedule) => ({ schedule, range, timestepScale })))
    .slice(1);
}

/** Timesteps counted to T, or to 1. */
function otherScales({ schedule, timestepScale }: Card): number[] {
  return [1, 1 / schedule.timesteps].filter((scale) => scale !== timestepScale);
}

async function fitsOf(
  model: Model,
  { schedule, range, timestepScale }: Setting,
  given: Given,
  linear: readonly number[],
): Promise<Fit[]> {
  const card = { ...model.card, schedule, range, timestepScale };
  const errors = await errorsOf({ ...model, card }, given);
  return (['epsilon', 'v', 'x0'] as const).map((kind) => ({
    prediction: kind,
    schedule: schedule.name,
    range,
    timestepScale,
    errors: errors[kind],
    score: score(errors[kind], linear),
  }));
}

function score(errors: readonly number[], linear: readonly number[]): number {
  const logs = errors.map((e, i) => Math.log(e / (linear[i] as number)));
  return Math.exp(logs.reduce((sum, v) => sum + v, 0) / logs.length);
}

/** What a network that knows classes is told: none of them, or the first. */
function toldTo(model: Model): Feeds {
  const { classes } = model.card;
  return classes ? classCondition(model, classes.null === undefined ? 0 : undefined).given : {};
}

/** The network alone, which gives what it predicts. */
async function networkOf(model: Model, canvas: Size): Promise<Graph> {
  const graph = await graphFor(model, 1, canvas, toldTo(model));
  const output = graph.outputs.filter((o) => o.name === model.card.output);
  return { ...graph, outputs: output };
}

/** The mean squared error of ε at each level, for every meaning that the output may have. */
async function errorsOf(
  model: Model,
  { session, image, noises }: Given,
): Promise<Record<Card['prediction'], number[]>> {
  const { card } = model;
  const ratios = noiseRatios(betasOf(card));
  const errors: Record<Card['prediction'], number[]> = { epsilon: [], v: [], x0: [] };
  for (const [i, sigma] of levels.entries()) {
    const noise = noises[i] as Tensor;
    const signal = 1 / Math.sqrt(1 + sigma * sigma);
    const level = { signal, noise: sigma * signal };
    const x = image.data.map((v, j) => level.signal * v + level.noise * (noise.data[j] as number));
    const seen = seenBy(card.range, tensor(image.shape, x), level);
    const feeds = {
      [card.inputs.x]: seen.x,
      ...timestepFeed(model, 1, nearest(ratios, sigma)),
      ...stackFeeds([toldTo(model)]),
    };
    const output = (await session.run(feeds))[card.output] as Tensor;
    for (const kind of ['epsilon', 'v', 'x0'] as const)
      errors[kind].push(meanSquare(epsOf(kind, output, seen), noise));
  }
  return errors;
}

interface Given {
  readonly session: Session;
  readonly image: Tensor;
  /** One for each level. */
  readonly noises: readonly Tensor[];
}

interface Level {
  readonly signal: number;
  readonly noise: number;
}

/** x and its noise level as a network knows them: see `onUnitRange` in guided/prediction.ts. */
function seenBy(range: Card['range'], x: Tensor, { signal, noise }: Level): Level & { x: Tensor } {
  if (range === '[-1,1]') return { x, signal, noise };
  const root = Math.sqrt(1 + 3 * signal * signal);
  const z = x.data.map((v) => (v + signal) / root);
  return { x: tensor(x.shape, z), signal: (2 * signal) / root, noise: noise / root };
}

/** ε of x by what the output means; what of it is beyond the image's channels is the variance. */
function epsOf(
  kind: Card['prediction'],
  output: Tensor,
  { x, signal, noise }: Level & { x: Tensor },
): Float32Array {
  return x.data.map((v, i) => {
    const o = output.data[i] as number;
    if (kind === 'epsilon') return o;
    return kind === 'v' ? signal * o + noise * v : (v - signal * o) / noise;
  });
}

function meanSquare(a: Float32Array, { data: b }: Tensor): number {
  return a.reduce((sum, v, i) => sum + (v - (b[i] as number)) ** 2, 0) / a.length;
}

/** √(1−ᾱ)/√ᾱ at each timestep. */
function noiseRatios(betas: Float64Array): Float64Array {
  let product = 1;
  return betas.map((beta) => {
    product *= 1 - beta;
    return Math.sqrt((1 - product) / product);
  });
}

/** The timestep whose noise is nearest, on a scale of factors. */
function nearest(ratios: Float64Array, sigma: number): number {
  const distance = (t: number): number => Math.abs(Math.log((ratios[t] as number) / sigma));
  return ratios.reduce((best, _, t) => (distance(t) < distance(best) ? t : best), 0);
}
