/** A training step as one graph: forward, loss, backward, optimiser. */
import { copyOf } from '../autodiff/differentiate.ts';
import { defaultForms, gradients } from '../autodiff/gradients.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Value } from '../onnx/graph.ts';
import { simplify } from '../simplify/simplify.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { adamw, type AdamOptions, type Moving, type Scalars } from './adamw.ts';
import type { Layout } from './parameters.ts';

/** Names of what a step's graph takes and gives, beside the inputs of the loss's graph. */
export const ports = {
  /** Vectors as long as the layout, and their next values. */
  state: { weights: 'weights', mean: 'mean', square: 'square', average: 'average' },
  next: {
    weights: 'weights.next',
    mean: 'mean.next',
    square: 'square.next',
    average: 'average.next',
  },
  /** Scalars. */
  scalars: { rate: 'rate', stepSize: 'stepSize', correction: 'correction', share: 'share' },
  /** Loss of each image, `[N]`. */
  losses: 'losses',
  /** Length of the gradient before it is clipped. */
  norm: 'gradient.norm',
} as const;

export interface StepOptions extends AdamOptions {
  /** Longest gradient; a longer one is scaled to it. Unlimited if left out. */
  readonly clip?: number | undefined;
}

/**
 * The step that lowers the mean of the losses. Weights, moments and average are inputs, each a
 * single vector so that the optimiser is a dozen nodes whatever the network, and outputs.
 * @param graph resolved, with the losses `[N]` its only output and the layout's weights as constants
 */
export function stepGraph(graph: Graph, layout: Layout, options: StepOptions): Graph {
  const b = new GraphBuilder(copyOf(graph));
  const [losses] = b.graph.outputs.splice(0) as [Value];
  const vector = [layout.size];
  const vectors = (names: Moving<string>): Moving<Value> =>
    mapped(names, (name) => b.input(name, 'float32', vector));
  const scalars: Scalars<Value> = mapped(ports.scalars, (name) => b.input(name, 'float32', []));
  const now = vectors(ports.state);
  before(b, () => unpack(b, now.weights, layout));

  b.scope = '/loss';
  const count = losses.shape[0] as number;
  const mean = b.constant(new Array<number>(count).fill(1 / count));
  const names = layout.entries.map(({ name }) => name);
  // Weights are computed values here, and memory is no concern of networks that are trained so.
  const forms = { ...defaultForms, recompute: 'nothing' as const };
  const found = gradients(b, new Map([[losses.name, mean]]), names, { forms });
  b.scope = '/optimiser';
  const parts = names.map((name) => b.reshape(found.get(name) as Value, [-1]));
  const whole = parts.length === 1 ? (parts[0] as Value) : b.op('Concat', parts, { axis: 0 });
  const norm = b.reduce('L2', whole, [0], false);
  const next = adamw(b, now, clipped(b, whole, norm, options.clip), scalars, options);
  for (const key of keysOf(next)) b.output(next[key], ports.next[key]);
  b.output(losses, ports.losses);
  b.output(norm, ports.norm);
  return simplify(b.graph);
}

/** The same for every key. */
function mapped<K extends string, T, U>(record: Record<K, T>, f: (v: T) => U): Record<K, U> {
  return Object.fromEntries(keysOf(record).map((key) => [key, f(record[key])])) as Record<K, U>;
}

function keysOf<K extends string>(record: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(record) as K[];
}

/** Puts what `make` appends before all that the graph has so far. */
export function before(b: GraphBuilder, make: () => void): void {
  const rest = b.graph.nodes.splice(0);
  make();
  b.graph.nodes.push(...rest);
}

/** Computes constants of the graph from a vector that holds them one after the other. */
function unpack(b: GraphBuilder, vector: Value, { entries }: Layout): void {
  b.scope = '/weights';
  const pieces = b.split(
    vector,
    entries.map(({ shape }) => sizeOf(shape)),
    0,
  );
  entries.forEach(({ name, shape }, i) => {
    const { graph } = b;
    graph.initializers.delete(name);
    b.replace(name, b.reshape(pieces[i] as Value, shape));
  });
}

/** Scaled to a length of at most `longest`, as `torch.nn.utils.clip_grad_norm_` does. */
function clipped(b: GraphBuilder, g: Value, norm: Value, longest: number | undefined): Value {
  if (longest === undefined) return g;
  const ratio = b.div(b.scalar(longest, norm), b.add(norm, b.scalar(1e-6, norm)));
  return b.mul(g, b.op('Min', [ratio, b.scalar(1, norm)]));
}
