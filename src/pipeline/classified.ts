/** Classifier guidance around a denoiser: ε is moved before the sampler sees it. */
import { UserError } from '../errors.ts';
import { classifierPorts, classLoss, noisyClassGraph } from '../guided/classifier.ts';
import { assertFinite } from '../samplers/finite.ts';
import type { Denoise, Denoised } from '../samplers/sampler.ts';
import type { Step } from '../schedules/respace.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { classifierAt, type ClassifierGuidance } from './classifier.ts';
import type { Denoiser, DenoiserInput, Subject } from './denoiser.ts';
import { scalarFeed } from './feeds.ts';
import { gradientOptions } from './gradient-forms.ts';
import { once } from './once.ts';
import { openDerived } from './prepared.ts';

/** −log p(c|·) of each image, its gradient at x_t, and the prediction where it was needed for that. */
interface Pull {
  readonly loss: Float64Array;
  readonly gradient: Tensor;
  readonly predicted?: Denoised;
}

interface Source {
  bind(subjects: readonly Subject[]): (x: Tensor, step: Step) => Promise<Pull>;
  release(): Promise<void>;
}

/**
 * ε̂ = ε − √(1−ᾱ) s ∇ log p(c|x_t), and x̂₀ follows: Dhariwal & Nichol (2021), algorithm 2. A
 * classifier without timestep is asked about x̂₀, and its gradient goes through the network. The
 * gradient of other losses is that at the network's own x̂₀: class and measurement are taken as
 * independent given x_t, so that their scores add up.
 * @param open makes the denoiser of some losses
 * @throws UserError for a scale out of range
 */
export function openClassifiedDenoiser(
  input: DenoiserInput,
  open: (input: DenoiserInput) => Denoiser,
  guidance: ClassifierGuidance,
): Denoiser {
  const { scale, classifier } = guidance;
  if (!(scale >= 0 && scale < Infinity))
    throw new UserError(`classifier guidance: scale ${scale}, expected a number from 0`);
  if (classifier.timestep && input.model.card.latent)
    throw new UserError(
      `${classifier.file}: knows noisy images, and ${input.model.file} makes noisy latents`,
      { hint: 'give a classifier of clean images: it is asked about what latents decode to' },
    );
  const inner = open(input);
  const source = classifier.timestep
    ? noisySource(input, guidance)
    : cleanSource(input, open, guidance);
  return {
    bind(subjects): Denoise {
      const denoise = inner.bind(subjects);
      const pull = source.bind(subjects);
      return async (x, step, want) => {
        const { loss, gradient, predicted } = await pull(x, step);
        assertFinite('classifier gradient', gradient, step);
        const known = want.gradient ? undefined : predicted;
        const denoised = known ?? (await denoise(x, step, want));
        const moved = moveEps(denoised, x, step, { gradient, scale, clip: input.model.card.clip });
        return { loss, ...moved };
      };
    },
    async release() {
      await inner.release();
      await source.release();
    },
  };
}

/** A classifier of x_t: a graph of its own, whatever the network. */
function noisySource(
  input: DenoiserInput,
  { classifier, class: label }: ClassifierGuidance,
): Source {
  const { model, batch, canvas, placement, session: on } = input;
  const shape = [batch, model.channels, canvas.height, canvas.width];
  const opened = once(async () => {
    // It also says whether there is such a class, of which the graph knows nothing.
    const network = await classifierAt(classifier, label, [batch, ...placement.image]);
    const recipe = {
      graph: 'classifier',
      shapes: { [classifierPorts.x]: shape },
      placement,
    } as const;
    return openDerived({ ...input, model: classifier }, recipe, {
      make: async () => noisyClassGraph(network, shape, placement, gradientOptions(on)),
      feeds: () => feedsAt(0),
    });
  });
  const { timestep, card } = classifier;
  const feedsAt = (t: number): Record<string, Tensor> => ({
    ...(timestep && scalarFeed(timestep, batch, t * card.timestepScale)),
    [classifierPorts.label]: tensor([batch], new Float32Array(batch).fill(label)),
  });
  return {
    bind: () => async (x, step) => {
      const session = await opened();
      const out = await session.run({ ...feedsAt(step.timestep), [classifierPorts.x]: x });
      const { [classifierPorts.loss]: loss, [classifierPorts.gradient]: gradient } = out;
      return { loss: Float64Array.from((loss as Tensor).data), gradient: gradient as Tensor };
    },
    async release() {
      await (await opened.started())?.release();
    },
  };
}

/** A classifier of x̂₀: a loss like others, whose gradient at x_t goes through the network. */
function cleanSource(
  input: DenoiserInput,
  open: (input: DenoiserInput) => Denoiser,
  { classifier, class: label }: ClassifierGuidance,
): Source {
  const { batch, placement } = input;
  const opened = once(async () => {
    const network = await classifierAt(classifier, label, [batch, ...placement.image]);
    const losses = [classLoss(network, label)];
    return { losses, denoiser: open({ ...input, like: { ...input.like, losses } }) };
  });
  return {
    bind(subjects) {
      const bound = once(async () => {
        const { losses, denoiser } = await opened();
        return denoiser.bind(subjects.map((subject) => ({ ...subject, losses })));
      });
      return async (x, step) => {
        const denoise = await bound();
        const { loss, gradient, ...predicted } = await denoise(x, step, { gradient: true });
        return { loss: loss as Float64Array, gradient: gradient as Tensor, predicted };
      };
    },
    async release() {
      await (await opened.started())?.denoiser.release();
    },
  };
}

/** @param by the gradient of −log p, which ε is moved along: ε + √(1−ᾱ) s g */
function moveEps(
  denoised: Denoised,
  { shape, data: x }: Tensor,
  { alphaBar }: Step,
  by: { readonly gradient: Tensor; readonly scale: number; readonly clip: boolean },
): Denoised {
  const [signal, noise] = [Math.sqrt(alphaBar), Math.sqrt(1 - alphaBar)];
  const { data: g } = by.gradient;
  const eps = denoised.eps.data.map((e, i) => e + noise * by.scale * (g[i] as number));
  const x0 = eps.map((e, i) => {
    const mean = ((x[i] as number) - noise * e) / signal;
    return by.clip ? Math.min(1, Math.max(-1, mean)) : mean;
  });
  const predicted = denoised.x0;
  return { ...denoised, eps: tensor(shape, eps), x0: tensor(shape, x0), predicted };
}
