/** The network behind a sampler: sessions over the step's graphs. */
import { guidedGraph, ports, stepGraph, type Placement } from '../guided/guided.ts';
import type { Loss } from '../losses/loss.ts';
import type { Denoise, Denoised } from '../samplers/sampler.ts';
import type { Step } from '../schedules/respace.ts';
import { openGraph, type SessionOptions } from '../session/session.ts';
import { stack } from '../tensor/batch.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Condition, Feeds } from './condition.ts';
import { graphFor, type Model, type Size } from './model.ts';

/** An image as its network and its losses know it. */
export interface Subject {
  readonly losses: readonly Loss[];
  readonly condition?: Condition;
}

export interface DenoiserInput {
  readonly model: Model;
  /** One of the images: the others have losses and conditions of the same signatures and shapes. */
  readonly like: Subject;
  readonly batch: number;
  readonly canvas: Size;
  readonly placement: Placement;
  readonly session: SessionOptions;
}

/** Graphs and sessions for batches of one size; each is only made when a step first needs it. */
export interface Denoiser {
  bind(subjects: readonly Subject[]): Denoise;
  release(): Promise<void>;
}

export function openDenoiser(input: DenoiserInput): Denoiser {
  const { model, like, batch, canvas, placement } = input;
  const { card } = model;
  const { losses } = like;
  const told = like.condition?.given ?? {};
  const graph = once(() => graphFor(model, batch, canvas, told));
  const plain = once(async () => openGraph(stepGraph(await graph(), card), input.session));
  const guided = once(async () =>
    openGraph(guidedGraph(await graph(), card, { losses, placement }), input.session),
  );
  return {
    bind(subjects) {
      const conditions = stackFeeds(subjects.map((s) => s.condition?.given ?? {}));
      const given = parametersOf(subjects.map((s) => s.losses));
      return async (x, step, want) => {
        const session = await (want.gradient ? guided() : plain());
        const level = { ...timestepFeed(model, batch, step.timestep), ...levelFeed(step) };
        const feeds = { ...level, ...conditions, [card.inputs.x]: x };
        return denoised(await session.run(want.gradient ? { ...feeds, ...given } : feeds));
      };
    },
    async release() {
      for (const session of [plain, guided]) await (await session.started())?.release();
    },
  };
}

/** The parameters of each loss, for all images together. */
export function parametersOf(losses: readonly (readonly Loss[])[]): Record<string, Tensor> {
  const all: Record<string, Tensor> = {};
  for (const i of (losses[0] ?? []).keys()) {
    const stacked = stackFeeds(losses.map((l) => (l[i] as Loss).parameters));
    for (const [name, value] of Object.entries(stacked)) all[ports.lossParameter(i, name)] = value;
  }
  return all;
}

export function stackFeeds(feeds: readonly Feeds[]): Record<string, Tensor> {
  return Object.fromEntries(
    Object.keys(feeds[0] ?? {}).map((name) => [name, stack(feeds.map((f) => f[name] as Tensor))]),
  );
}

/** A computation made at most once, and whether it was. */
export function once<T>(make: () => Promise<T>): {
  (): Promise<T>;
  started(): Promise<T> | undefined;
} {
  let made: Promise<T> | undefined;
  return Object.assign(() => (made ??= make()), { started: () => made });
}

/** What a step's graph is told of the noise level, beside the timestep. */
export function levelFeed({ alphaBar }: Step): Record<string, Tensor> {
  const scalar = (v: number): Tensor => tensor([], Float32Array.of(v));
  return {
    [ports.signal]: scalar(Math.sqrt(alphaBar)),
    [ports.noise]: scalar(Math.sqrt(1 - alphaBar)),
  };
}

/** A timestep as the network wants it: one number, or one for each image of the batch. */
export function timestepFeed(
  { card, timestep }: Model,
  batch: number,
  t: number,
): Record<string, Tensor> {
  const scale = card.timestepScale * (card.rescaleTimesteps ? 1000 / card.schedule.timesteps : 1);
  const [count] = timestep.shape;
  const shape = count === undefined ? [] : [typeof count === 'number' ? count : batch];
  const values = new Float32Array(shape[0] ?? 1).fill(t * scale);
  return { [timestep.name]: tensor(shape, values) };
}

export function denoised(out: Record<string, Tensor>): Denoised {
  const { [ports.variance]: variance, [ports.loss]: loss, [ports.gradient]: gradient } = out;
  return {
    eps: out[ports.eps] as Tensor,
    x0: out[ports.x0] as Tensor,
    ...(variance && { variance }),
    ...(loss && { loss: Float64Array.from(loss.data) }),
    ...(gradient && { gradient }),
  };
}
