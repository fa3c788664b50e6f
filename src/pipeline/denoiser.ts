/** The network behind a sampler: sessions over the step's graphs. */
import { guidedGraph, ports, stepGraph, type Placement } from '../guided/guided.ts';
import type { Operator } from '../operators/operator.ts';
import type { Denoise, Denoised } from '../samplers/sampler.ts';
import type { Step } from '../schedules/respace.ts';
import { openGraph, type SessionOptions } from '../session/session.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { graphFor, type Model, type Size } from './model.ts';

export interface DenoiserInput {
  readonly model: Model;
  readonly operator: Operator;
  readonly batch: number;
  readonly canvas: Size;
  readonly placement: Placement;
  readonly session: SessionOptions;
}

/** Graphs and sessions for batches of one size; each is only made when a step first needs it. */
export interface Denoiser {
  /**
   * @param measurement `[N,C,H,W]`; @param parameters the operator's, `[N,...]` each
   */
  bind(measurement: Tensor, parameters: Readonly<Record<string, Tensor>>): Denoise;
  release(): Promise<void>;
}

export function openDenoiser(input: DenoiserInput): Denoiser {
  const { model, operator, batch, canvas, placement } = input;
  const graph = once(() => graphFor(model, batch, canvas));
  const plain = once(async () => openGraph(stepGraph(await graph(), model.card), input.session));
  const guided = once(async () =>
    openGraph(guidedGraph(await graph(), model.card, operator, placement), input.session),
  );
  return {
    bind(measurement, parameters) {
      const given: Record<string, Tensor> = { [ports.measurement]: measurement };
      for (const [name, value] of Object.entries(parameters)) given[ports.parameter(name)] = value;
      return async (x, step, want) => {
        const session = await (want.gradient ? guided() : plain());
        const feeds = { ...levels(model, batch, step), [model.card.inputs.x]: x };
        return denoised(await session.run(want.gradient ? { ...feeds, ...given } : feeds));
      };
    },
    async release() {
      for (const session of [plain, guided]) await (await session.started())?.release();
    },
  };
}

/** A computation made at most once, and whether it was. */
function once<T>(make: () => Promise<T>): { (): Promise<T>; started(): Promise<T> | undefined } {
  let made: Promise<T> | undefined;
  return Object.assign(() => (made ??= make()), { started: () => made });
}

/** What a step's graph is told of the noise level. */
function levels(model: Model, batch: number, step: Step): Record<string, Tensor> {
  const scalar = (v: number): Tensor => tensor([], Float32Array.of(v));
  return {
    ...timestepFeed(model, batch, step.timestep),
    [ports.signal]: scalar(Math.sqrt(step.alphaBar)),
    [ports.noise]: scalar(Math.sqrt(1 - step.alphaBar)),
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

function denoised(out: Record<string, Tensor>): Denoised {
  const { [ports.variance]: variance, [ports.loss]: loss, [ports.gradient]: gradient } = out;
  return {
    eps: out[ports.eps] as Tensor,
    x0: out[ports.x0] as Tensor,
    ...(variance && { variance }),
    ...(loss && { loss: Float64Array.from(loss.data) }),
    ...(gradient && { gradient }),
  };
}
