/** Classifier-free guidance as a graph: a network that predicts with and without its condition at once. */
import { copyOf } from '../autodiff/differentiate.ts';
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { valueOf, type Graph, type Value } from '../onnx/graph.ts';
import { showShape } from '../tensor/tensor.ts';

/** Names of what the wrapped graph takes and gives beside the network's own inputs. */
export const classifierFreePorts = {
  x: 'dsg.x',
  /** w, a scalar: a schedule over the steps needs no other graph. */
  scale: 'dsg.cfg.scale',
  output: 'dsg.output',
} as const;

/**
 * Makes of a network over 2N images one over N, whose output is o(c) + w (o(c) − o(∅)): equation 6
 * of Ho & Salimans (2022). ε, v and x₀ are affine in one another at a given x_t, with coefficients
 * that the two halves share, so this is the guided ε whatever the network predicts. A learned
 * variance is that of the conditional half.
 * @param model resolved, with x of `[2N,C,H,W]`; its other inputs take the N given conditions first
 * @param rescale φ of Lin et al. (2023), equations 14 to 16
 * @returns the graph with x of `[N,C,H,W]`, and the card with its names
 */
export function classifierFreeGraph(
  model: Graph,
  card: Card,
  rescale = 0,
): { graph: Graph; card: Card } {
  const b = new GraphBuilder(copyOf(model));
  const { graph } = b;
  b.scope = '/dsg/cfg';
  const twice = valueOf(graph, card.inputs.x);
  const [images = 0, ...image] = twice.shape;
  const n = images / 2;
  const network = graph.nodes.splice(0);
  graph.inputs.splice(
    graph.inputs.findIndex((i) => i.name === twice.name),
    1,
  );
  graph.values.delete(twice.name);
  const x = b.input(classifierFreePorts.x, twice.dtype, [n, ...image]);
  b.rename(b.op('Concat', [x, x], { axis: 0 }), twice.name);
  graph.nodes.push(...network);

  const raw = valueOf(graph, card.output);
  if (raw.shape[0] !== images)
    throw new UserError(
      `${graph.name}: output '${raw.name}' is ${showShape(raw.shape)} for ${images} images`,
    );
  const [given, none] = b.split(b.cast(raw, 'float32'), [n, n], 0) as [Value, Value];
  const scale = b.input(classifierFreePorts.scale, 'float32', []);
  const guided = card.learnedVariance
    ? beside(b, given, none, (c, u) => combine(b, c, u, { scale, rescale }))
    : combine(b, given, none, { scale, rescale });
  graph.outputs.length = 0;
  b.output(guided, classifierFreePorts.output);
  const { x: named, output } = classifierFreePorts;
  return { graph, card: { ...card, inputs: { ...card.inputs, x: named }, output } };
}

/** Combines the first half of the channels, and keeps the second one of what is given. */
function beside(
  b: GraphBuilder,
  given: Value,
  none: Value,
  combined: (given: Value, none: Value) => Value,
): Value {
  const half = (given.shape[1] ?? 0) / 2;
  const [mean, variance] = b.split(given, [half, half], 1) as [Value, Value];
  const [meanOfNone] = b.split(none, [half, half], 1) as [Value, Value];
  return b.op('Concat', [combined(mean, meanOfNone), variance], { axis: 1 });
}

function combine(
  b: GraphBuilder,
  given: Value,
  none: Value,
  { scale, rescale }: { scale: Value; rescale: number },
): Value {
  const guided = b.add(given, b.mul(scale, b.sub(given, none)));
  if (rescale === 0) return guided;
  const ratio = b.div(deviation(b, given), deviation(b, guided));
  return b.add(b.scale(b.mul(guided, ratio), rescale), b.scale(guided, 1 - rescale));
}

/** Standard deviation over all values of each image, `[N,1,1,1]`. */
function deviation(b: GraphBuilder, x: Value): Value {
  const axes = x.shape.map((_, axis) => axis).slice(1);
  const centred = b.sub(x, b.reduce('Mean', x, axes));
  return b.op('Sqrt', [b.reduce('Mean', b.mul(centred, centred), axes)]);
}
