/** Restores batches of measurements. */
import type { Cache } from '../cache/cache.ts';
import { UserError } from '../errors.ts';
import type { ClassifierFree } from '../guidance/classifier-free.ts';
import type { Guidance } from '../guidance/guidance.ts';
import type { Placement } from '../guided/guided.ts';
import { lossesAt } from '../losses/loss.ts';
import type { ImageShape } from '../operators/operator.ts';
import type { SamplerState } from '../samplers/sampler.ts';
import { respace, steps as stepsOf, type Step } from '../schedules/respace.ts';
import type { SessionOptions } from '../session/session.ts';
import { stack, unstack } from '../tensor/batch.ts';
import { gaussian, noiseKey } from '../tensor/noise.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { cropBatch, placementOf, seenShape, type Fitting, type Size } from './canvas.ts';
import { openClassifiedDenoiser } from './classified.ts';
import type { ClassifierGuidance } from './classifier.ts';
import { classCondition } from './condition.ts';
import { openDenoiser, type Denoiser, type DenoiserInput, type Subject } from './denoiser.ts';
import { openDescent, type Descent } from './descent.ts';
import { openReaches, type Reaches } from './reach.ts';
import { lossesOf, lossesOfMethod, shapeOf, type Job } from './job.ts';
import {
  guidanceOf,
  passesFor,
  samplerFor,
  spanOf,
  type Method,
  type Passes,
  type SamplerChoice,
} from './method.ts';
import { openAutoencoder } from './latent/autoencoder.ts';
import { encodedStart } from './latent/start.ts';
import { betasOf, type Model } from './model.ts';
import { replayed, type Replay } from './replay.ts';
import { openWindowedDenoiser } from './windowed.ts';
import { exceeds } from './windows.ts';

export interface RestoreOptions extends Fitting {
  readonly model: Model;
  readonly method: Method;
  readonly sampler: SamplerChoice;
  /** Goes beyond each image's condition, away from none. */
  readonly classifierFree?: ClassifierFree | undefined;
  /** Bends the samples towards a class of a classifier. */
  readonly classifier?: ClassifierGuidance | undefined;
  /** How many of the schedule's timesteps to take. */
  readonly steps: number;
  readonly seed: number;
  readonly session?: SessionOptions | undefined;
  /** Where derived graphs are kept from one start to the next; nowhere if left out. */
  readonly cache?: Cache | undefined;
  /** Told of what takes its time before sampling begins. */
  readonly note?: ((line: string) => void) | undefined;
  readonly replay?: Replay | undefined;
  /**
   * Noise alone if left out; `encoder` begins at the latent of a simple reconstruction, with the
   * noise of the first step.
   */
  readonly start?: 'noise' | 'encoder' | undefined;
}

/** Where a batch stands after a step. */
export interface Progress {
  readonly step: Step;
  /** Of images, cropped to their size; of a latent model, of latents. */
  readonly x0: Tensor;
  readonly x: Tensor;
  /** x̂₀ as images `[N,C,H,W]`: of latents, a run of the decoder. */
  images(): Promise<Tensor>;
  /**
   * Of each image, where the step was guided: ‖y − A(x̂₀)‖₂ of a measurement, whitened where the
   * method says so; −log p(c|·) where
   * there is a classifier and nothing else.
   */
  readonly loss?: Float64Array;
}

/** A restorer keeps graphs and sessions from batch to batch; release it when done. */
export interface Restorer {
  /**
   * Makes images whose sizes, and whose losses' signatures, are the same.
   * Yields after every step; returns the images, `[C,H,W]` each.
   * @throws UserError if a measurement does not fit operator or model, a sigma or the seed is out of
   * range, or sampling diverges
   */
  restore(jobs: readonly Job[], signal?: AbortSignal): AsyncGenerator<Progress, Tensor[]>;
  release(): Promise<void>;
}

/** What is kept from batch to batch of one kind. */
interface Opened {
  readonly key: string;
  readonly denoiser: Denoiser;
  readonly descent: Descent;
  readonly reaches: Reaches | undefined;
}

/** @throws UserError for a step count or hyper-parameter out of range */
export function openRestorer(options: RestoreOptions): Restorer {
  const { model, seed, replay } = options;
  const betas = betasOf(model.card);
  const sampler = samplerFor(options.sampler);
  const planned = (
    method: Method,
  ): { steps: Step[]; guidance: Guidance; travel: Passes | undefined } => {
    const { first, count } = spanOf(method, options.steps, betas.length);
    const steps = stepsOf(respace(betas, count, { ...model.card.schedule, first }));
    const guidance = guidanceOf(method, options.sampler, steps);
    return { steps, guidance, travel: passesFor(method, count) };
  };
  planned(options.method);
  // One batch size and image size is the rule; a remainder or another size replaces it.
  let current: Opened | undefined;
  const autoencoder = model.card.latent && openAutoencoder(model, options.session);

  async function openedFor(
    subjects: readonly Subject[],
    canvas: Size,
    placement: Placement,
  ): Promise<Opened> {
    const first = subjects[0] as Subject;
    const signatures = first.losses.map((l) => l.signature);
    const key = [subjects.length, canvas.height, canvas.width, placement.image, signatures].join();
    if (current?.key === key) return current;
    await releaseCurrent();
    const session = options.session ?? {};
    const { classifierFree, classifier, tiling, cache, note } = options;
    const batch = subjects.length;
    const losses = await lossesAt(first.losses, [batch, ...placement.image]);
    const like = { ...first, losses };
    const input = { model, like, batch, canvas, placement, session, cache, note, classifierFree };
    const open = (given: DenoiserInput): Denoiser =>
      tiling && exceeds(canvas, tiling)
        ? openWindowedDenoiser({ ...given, tiling })
        : openDenoiser(given);
    const denoiser = classifier ? openClassifiedDenoiser(input, open, classifier) : open(input);
    current = { key, denoiser, descent: openDescent(input), reaches: openReaches(input) };
    return current;
  }

  async function releaseCurrent(): Promise<void> {
    await current?.denoiser.release();
    await current?.descent.release();
    await current?.reaches?.release();
    current = undefined;
  }

  async function encoded(
    jobs: readonly Job[],
    noise: Tensor,
    on: { readonly canvas: Size; readonly placed: Placement; readonly step: Step },
  ): Promise<Tensor> {
    if (!autoencoder)
      throw new UserError(
        `${model.file}: sampling cannot start from an encoder: the model has none`,
        {
          hint: 'leave out --start: that is for latent pipelines',
        },
      );
    return encodedStart(jobs, { autoencoder, ...on, noise });
  }

  return {
    async *restore(jobs, signal) {
      const [first] = jobs;
      if (!first) return [];
      const keys = jobs.map((job) => noiseKey(seed, job.name));
      const [image] = jobs.map((job) => shapeOf(job, model)) as [ImageShape];
      const { canvas, placed } = placementOf(model, image, options);
      const method = first.method ?? options.method;
      const subjects = jobs.map((job) => subjectOf(job, model, method));
      const { denoiser, descent, reaches } = await openedFor(subjects, canvas, placed);
      const shape = seenShape(model, canvas);
      const draw = (stream: 'x_T' | 'step' | 'travel', index: number, pass = 0): Tensor =>
        stack(keys.map((key) => gaussian(key, stream, index, shape, pass)));
      const { steps, guidance, travel } = planned(method);
      if (replay && travel)
        throw new UserError('replay: recorded noise is that of steps that are taken once', {
          hint: 'leave out what takes them several times, or the recorded noise',
        });
      const recorded = replay && replayed(replay, shape, steps, jobs.length);
      const noise = recorded?.x ?? draw('x_T', 0);
      const [step] = steps as [Step];
      const run = sampler({
        denoise: denoiser.bind(subjects),
        x:
          options.start === 'encoder'
            ? await encoded(jobs, noise, { canvas, placed, step })
            : noise,
        steps,
        guidance,
        noise: recorded?.noise ?? ((step, pass) => draw('step', step.index, pass)),
        ...(travel && {
          travel: { ...travel, noise: ({ index }, pass) => draw('travel', index, pass) },
        }),
        descend: descent.bind(subjects),
        ...(reaches && { reach: reaches.bind(subjects) }),
        ...(signal && { signal }),
      });
      const imagesOf = async (x: Tensor): Promise<Tensor> =>
        cropBatch(autoencoder ? await autoencoder.decode(x) : x, placed);
      for (;;) {
        const { value, done } = await run.next();
        if (done) return unstack(await imagesOf(value));
        yield progressOf(value, autoencoder ? undefined : placed, imagesOf);
      }
    },
    async release() {
      await autoencoder?.release();
      await releaseCurrent();
    },
  };
}

/** A job as the denoiser knows it; without a condition, the model is told of none. */
export function subjectOf(job: Job, model: Model, method: Method | undefined): Subject {
  return {
    losses: [...lossesOf(job, method), ...lossesOfMethod(job, model, method)],
    condition: job.condition ?? classCondition(model),
  };
}

/** @param placed undefined where what is sampled are no images */
function progressOf(
  { step, x, x0, loss }: SamplerState,
  placed: Placement | undefined,
  imagesOf: (x0: Tensor) => Promise<Tensor>,
): Progress {
  const crop = (v: Tensor): Tensor => (placed ? cropBatch(v, placed) : v);
  const images = (): Promise<Tensor> => imagesOf(x0);
  return { step, x: crop(x), x0: crop(x0), images, ...(loss && { loss }) };
}
