/** Losses that compare what is seen of an image with what should be seen. */
import { UserError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { emptyGraph, type Graph, type Value } from '../onnx/graph.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { newLooks, observe, preprocessed, type Looks } from './looks.ts';
import type { Loss } from './loss.ts';
import type { LossNetwork } from './network.ts';
import { preprocessedShape, type Preprocessing } from './preprocessing.ts';

/** What a kind of loss does with the values that it looks at. */
export interface Comparison {
  /** With what sets it apart from others of its kind. */
  readonly name: string;
  /** From a network's layers, `[N,...]` each, or from the image, to what is compared. */
  describe(b: GraphBuilder, seen: readonly Value[]): Value[];
  /** `[N]`; `wanted` are the targets, which for most kinds `describe` made of another image. */
  distance(b: GraphBuilder, found: readonly Value[], wanted: readonly Value[]): Value;
}

/** Where the values come from. */
export interface View {
  readonly preprocessing: Preprocessing;
  /** What sees the image; it is looked at as it is if left out. */
  readonly network?: LossNetwork;
  /** Names of values of the network's graph; its first output if left out. */
  readonly layers?: readonly string[];
  readonly comparison: Comparison;
}

/**
 * The loss of images whose targets are known.
 * @param targets what is wanted, without the batch axis
 * @param feedsTargets the network itself takes them, after the image, and nothing is compared here
 */
export function comparedLoss(view: View, targets: readonly Tensor[], feedsTargets = false): Loss {
  const { network, preprocessing, layers, comparison } = view;
  const shapes = targets.map((t) => t.shape);
  const rest = [network?.digest, preprocessing, layers, shapes];
  const base = {
    signature: `${comparison.name}${JSON.stringify(rest)}`,
    parameters: Object.fromEntries(targets.map((t, i) => [`target.${i}`, t])),
  };
  const prepared = (graph: Graph | undefined): Loss => ({
    ...base,
    ...(graph && { opset: graph.opset }),
    value(b, image, parameters, { looks }) {
      const wanted = Object.values(parameters);
      const seen = see(b, view, graph, { looks, image, fed: feedsTargets ? wanted : [] });
      return comparison.distance(b, described(b, view, seen), wanted);
    },
  });
  if (!network) return prepared(undefined);
  return {
    ...base,
    at: async ([n = 1, ...image]) => {
      const fed = feedsTargets ? shapes.map((shape) => [n, ...shape]) : [];
      return prepared(await network.at([[n, ...preprocessedShape(image, preprocessing)], ...fed]));
    },
    value: () => {
      throw new Error(`${network.name}: the loss was not prepared for the images' size`);
    },
  };
}

/**
 * The graph that makes targets of an image: its input `image` `[1,C,H,W]` in [-1,1], its outputs
 * `target.0` and so on, with a batch axis of one.
 * @param image `[C,H,W]`, as large as the images that the loss will see
 */
export async function targetGraph(view: View, image: readonly number[]): Promise<Graph> {
  const { network, preprocessing, comparison } = view;
  const graph = await network?.at([[1, ...preprocessedShape(image, preprocessing)]]);
  const b = new GraphBuilder(emptyGraph(network?.name ?? comparison.name, graph?.opset ?? 17));
  const input = b.input('image', 'float32', [1, ...image]);
  const seen = see(b, view, graph, { looks: newLooks(), image: input, fed: [] });
  described(b, view, seen).forEach((value, i) => b.output(value, `target.${i}`));
  return b.graph;
}

/** What is compared; where it is not of the form that the kind needs, that is said of the layers. */
function described(b: GraphBuilder, { network, layers, comparison }: View, seen: Value[]): Value[] {
  try {
    return comparison.describe(b, seen);
  } catch (error) {
    if (!network || !(error instanceof UserError)) throw error;
    const { message, hint } = error;
    const where = layers ? `${network.name}, ${layers.join('+')}` : network.name;
    throw new UserError(`${where}: ${message}`, { ...(hint && { hint }), cause: error });
  }
}

function see(
  b: GraphBuilder,
  { network, preprocessing, layers }: View,
  graph: Graph | undefined,
  { looks, image, fed }: { looks: Looks; image: Value; fed: readonly Value[] },
): Value[] {
  const input = preprocessed(b, looks, image, preprocessing);
  if (!network || !graph) return [input];
  return observe(b, looks, { name: network.name, graph, layers }, [input, ...fed]);
}
