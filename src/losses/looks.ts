/** What the losses of one graph look at: what several of them see alike is in it once. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Value } from '../onnx/graph.ts';
import { appendNetwork, layersOf, type Appended, type Observed } from './network.ts';
import { preprocess, type Preprocessing } from './preprocessing.ts';

/** What is in the graph so far; it goes from loss to loss. */
export interface Looks {
  /** Preprocessed images, by what they were and how. */
  readonly images: Map<string, Value>;
  /** Networks, by the names of what they are fed. */
  readonly networks: Map<Graph, Map<string, Appended>>;
}

export function newLooks(): Looks {
  return { images: new Map(), networks: new Map() };
}

/** An image `[N,C,H,W]` in [-1,1] as a network sees it. */
export function preprocessed(
  b: GraphBuilder,
  { images }: Looks,
  image: Value,
  how: Preprocessing,
): Value {
  const key = JSON.stringify([image.name, how]);
  const value = images.get(key) ?? preprocess(b, image, how);
  images.set(key, value);
  return value;
}

/**
 * A network's layers, float32 `[N,...]`.
 * @param inputs `[N,...]` float32, one for each of its own
 * @throws UserError for a layer whose first axis is not the batch
 */
export function observe(
  b: GraphBuilder,
  { networks }: Looks,
  network: Observed,
  inputs: readonly Value[],
): Value[] {
  const { graph } = network;
  const known = networks.get(graph) ?? new Map<string, Appended>();
  const key = inputs.map((input) => input.name).join(' ');
  const appended = known.get(key) ?? appendNetwork(b, network, inputs);
  networks.set(graph, known.set(key, appended));
  return layersOf(b, network, appended, inputs[0]?.shape[0] ?? 1);
}
