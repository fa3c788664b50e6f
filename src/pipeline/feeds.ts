/** What the graphs of a step are fed, beside x. */
import { ports } from '../guided/guided.ts';
import type { Loss } from '../losses/loss.ts';
import type { ModelInput } from '../onnx/dims.ts';
import type { Operator } from '../operators/operator.ts';
import type { Step } from '../schedules/respace.ts';
import { stack } from '../tensor/batch.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Feeds } from './condition.ts';
import type { Model } from './model.ts';

/** The parameters of each loss, for all images together. */
export function parametersOf(losses: readonly (readonly Loss[])[]): Record<string, Tensor> {
  const all: Record<string, Tensor> = {};
  for (const i of (losses[0] ?? []).keys()) {
    const stacked = stackFeeds(losses.map((l) => (l[i] as Loss).parameters));
    for (const [name, value] of Object.entries(stacked)) all[ports.lossParameter(i, name)] = value;
  }
  return all;
}

/** Those of an operator by itself, for one image. */
export function operatorFeeds({ parameters }: Operator): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data }]) => [
      ports.parameter(name),
      tensor([1, ...shape], data),
    ]),
  );
}

/** The same for each image of a batch. */
export function repeated<T>(value: T, batch: number): T[] {
  return Array.from({ length: batch }, () => value);
}

/** The feeds of each image, for all together. */
export function stackFeeds(feeds: readonly Feeds[]): Record<string, Tensor> {
  return Object.fromEntries(
    Object.keys(feeds[0] ?? {}).map((name) => [name, stack(feeds.map((f) => f[name] as Tensor))]),
  );
}

/** What a step's graph is told of the noise level, beside the timestep. */
export function levelFeed({ alphaBar }: Pick<Step, 'alphaBar'>): Record<string, Tensor> {
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
  return scalarFeed(timestep, batch, t * scale);
}

/** One number as an input wants it: once, or for each image of the batch. */
export function scalarFeed(
  { name, shape: wanted }: ModelInput,
  batch: number,
  value: number,
): Record<string, Tensor> {
  const [count] = wanted;
  const shape = count === undefined ? [] : [typeof count === 'number' ? count : batch];
  const values = new Float32Array(shape[0] ?? 1).fill(value);
  return { [name]: tensor(shape, values) };
}
