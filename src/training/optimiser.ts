/** Runs the graph of a training step, and keeps what it moves. */
import { activeNodes } from '../autodiff/gradients.ts';
import { UserError } from '../errors.ts';
import type { Graph, Value } from '../onnx/graph.ts';
import type { Initializer } from '../onnx/initializer.ts';
import { openGraph, type SessionOptions } from '../session/session.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { adamDefaults, scalarsAt, type Moving } from './adamw.ts';
import { layoutOf, packed, type Layout } from './parameters.ts';
import { ports, stepGraph } from './step.ts';

export interface OptimiserOptions {
  readonly rate: number;
  /** Decay of the average of the weights. */
  readonly ema: number;
  readonly weightDecay: number;
  /** Longest gradient; unlimited if left out. */
  readonly clip?: number | undefined;
  readonly session?: SessionOptions | undefined;
}

/** Where training stands: all that the next step depends on, beside options and data. */
export interface TrainingState {
  /** Steps taken. */
  readonly step: number;
  readonly vectors: Moving<Float32Array>;
}

/** What a step found before it moved the weights. */
export interface Found {
  /** Of each image. */
  readonly losses: Float32Array;
  /** Their mean. */
  readonly loss: number;
  /** Length of the gradient before it is clipped. */
  readonly norm: number;
}

export interface Optimiser {
  readonly layout: Layout;
  state(): TrainingState;
  /** Goes on from another state of the same weights. */
  restore(state: TrainingState): void;
  /**
   * Takes a step.
   * @param feeds the inputs of the loss's graph
   * @throws UserError if the loss or its gradient is not finite; the state is then still that of before
   */
  step(feeds: Readonly<Record<string, Tensor>>): Promise<Found>;
  release(): Promise<void>;
}

/**
 * Lowers the mean of the losses that a graph puts out, from the values that the weights have in it.
 * @param loss resolved, with the losses `[N]` its only output
 * @param parameters constants of the graph to train; those that the losses do not depend on stay
 */
export async function openOptimiser(
  loss: Graph,
  parameters: ReadonlyMap<string, Initializer>,
  options: OptimiserOptions,
): Promise<Optimiser> {
  const { weightDecay, clip } = options;
  const path = activeNodes(loss, [(loss.outputs[0] as Value).name], [...parameters.keys()]);
  const trained = new Map([...parameters].filter(([name]) => path.values.has(name)));
  const layout = layoutOf(trained);
  const adam = { ...adamDefaults, weightDecay };
  const session = await openGraph(stepGraph(loss, layout, { ...adam, clip }), options.session);
  let state = initialState(packed(trained));
  return {
    layout,
    state: () => state,
    restore(other) {
      state = other;
    },
    async step(feeds) {
      const { step, vectors } = state;
      const scalars = scalarsAt(step, { ...options, betas: adam.betas });
      const out = await session.run({
        ...feeds,
        ...named(ports.scalars, scalars, (v) => tensor([], Float32Array.of(v))),
        ...named(ports.state, vectors, (v) => tensor([layout.size], v)),
      });
      const at = (name: string): Float32Array => (out[name] as Tensor).data;
      const losses = at(ports.losses);
      const loss = losses.reduce((sum, v) => sum + v, 0) / losses.length;
      const norm = at(ports.norm)[0] as number;
      if (!Number.isFinite(loss) || !Number.isFinite(norm))
        throw new UserError(
          `the loss is ${loss} at step ${step}, the length of its gradient ${norm}`,
          {
            hint: 'try a lower --rate, or a lower --clip; --resume goes on from the last checkpoint, if there is one',
          },
        );
      const { weights, mean, square, average } = ports.next;
      state = {
        step: step + 1,
        vectors: {
          weights: at(weights),
          mean: at(mean),
          square: at(square),
          average: at(average),
        },
      };
      return { losses, loss, norm };
    },
    release: () => session.release(),
  };
}

function initialState(weights: Float32Array): TrainingState {
  const none = (): Float32Array => new Float32Array(weights.length);
  return { step: 0, vectors: { weights, mean: none(), square: none(), average: weights } };
}

/** Values by the names of their ports. */
function named<K extends string, T>(
  names: Readonly<Record<K, string>>,
  values: Readonly<Record<K, T>>,
  make: (value: T) => Tensor,
): Record<string, Tensor> {
  const keys = Object.keys(names) as K[];
  return Object.fromEntries(keys.map((key) => [names[key], make(values[key])]));
}
