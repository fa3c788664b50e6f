/** Another network as a part of the graph that a loss is computed in. */
import { UserError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Value } from '../onnx/graph.ts';
import { inline } from '../onnx/inline.ts';
import { showShape } from '../tensor/tensor.ts';

/** A network that losses may go through; who makes it knows how ONNX models are resolved. */
export interface LossNetwork {
  /** What messages call it. */
  readonly name: string;
  /** Differs between networks that are not the same. */
  readonly digest: string;
  /**
   * Its graph for inputs of these shapes, in the order of the file. The network may have a batch of
   * one all the same; it then goes into the graph once for each image.
   * @throws UserError if it does not take them
   */
  at(shapes: readonly (readonly number[])[]): Promise<Graph>;
}

/** A network at a size, and the values of it that are looked at; its first output if left out. */
export interface Observed {
  readonly name: string;
  readonly graph: Graph;
  readonly layers: readonly string[] | undefined;
}

/** The values of a network in a graph, by their names in its own: of all images, or of each by itself. */
export type Appended = readonly ReadonlyMap<string, Value>[];

/**
 * Appends a network: once, or once for each image where it has a batch of one.
 * @param inputs `[N,...]` float32, one for each of its own
 */
export function appendNetwork(
  b: GraphBuilder,
  { graph, name: network }: Observed,
  inputs: readonly Value[],
): Appended {
  const run = (given: readonly (Value | undefined)[]): ReadonlyMap<string, Value> => {
    const fed = graph.inputs.map(({ name, dtype }, i) => {
      return [name, b.cast(given[i] as Value, dtype)] as const;
    });
    return inline(b, graph, Object.fromEntries(fed), `${b.scope}/${network}`);
  };
  const [n = 1] = inputs[0]?.shape ?? [];
  if (n === 1 || graph.inputs[0]?.shape[0] === n) return [run(inputs)];
  const parts = inputs.map((input) => b.parts(input, n, 0));
  return Array.from({ length: n }, (_, i) => run(parts.map((images) => images[i])));
}

/**
 * The layers that are looked at, float32 `[N,...]`.
 * @throws UserError for a layer whose first axis is not the batch
 */
export function layersOf(
  b: GraphBuilder,
  { graph, layers, name: network }: Observed,
  appended: Appended,
  n: number,
): Value[] {
  const images = n / appended.length;
  return (layers ?? [graph.outputs[0]?.name ?? '']).map((name) => {
    const each = appended.map((values) => {
      const value = values.get(name);
      if (!value) throw new Error(`${network}: no value '${name}'`);
      // A scalar is that of the only image.
      const [first = 1] = value.shape;
      if (first !== images)
        throw new UserError(
          `${network}: '${name}' is ${showShape(value.shape)} for ${images} image${images === 1 ? '' : 's'}: its first axis is not the batch`,
          { hint: 'export the network with the batch first in the values that the loss uses' },
        );
      return b.cast(value.shape.length === 0 ? b.reshape(value, [1]) : value, 'float32');
    });
    return each.length === 1 ? (each[0] as Value) : b.op('Concat', each, { axis: 0 });
  });
}
