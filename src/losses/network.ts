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

/**
 * Appends a network.
 * @param inputs `[N,...]` float32, one for each of its own
 * @returns its layers' values, float32 `[N,...]`
 * @throws UserError for a layer whose first axis is not the batch
 */
export function observe(b: GraphBuilder, network: Observed, inputs: readonly Value[]): Value[] {
  const [n = 1] = inputs[0]?.shape ?? [];
  if (n === 1 || network.graph.inputs[0]?.shape[0] === n) return run(b, network, inputs);
  const parts = inputs.map((input) => b.split(input, new Array<number>(n).fill(1), 0));
  const each = Array.from({ length: n }, (_, i) => {
    return run(
      b,
      network,
      parts.map((images) => images[i] as Value),
    );
  });
  const layers = each[0]?.keys() ?? [];
  return Array.from(layers, (layer) =>
    b.op(
      'Concat',
      each.map((values) => values[layer]),
      { axis: 0 },
    ),
  );
}

function run(
  b: GraphBuilder,
  { graph, layers, name: network }: Observed,
  inputs: readonly Value[],
): Value[] {
  const fed = graph.inputs.map(({ name, dtype }, i) => {
    return [name, b.cast(inputs[i] as Value, dtype)] as const;
  });
  const found = inline(b, graph, Object.fromEntries(fed), `${b.scope}/${network}`);
  const [n = 1] = inputs[0]?.shape ?? [];
  return (layers ?? [graph.outputs[0]?.name ?? '']).map((name) => {
    const value = found.get(name);
    if (!value) throw new Error(`${network}: no value '${name}'`);
    // A scalar is that of the only image.
    const [first = 1] = value.shape;
    if (first !== n)
      throw new UserError(
        `${network}: '${name}' is ${showShape(value.shape)} for ${n} image${n === 1 ? '' : 's'}: its first axis is not the batch`,
        { hint: 'export the network with the batch first in the values that the loss uses' },
      );
    return b.cast(value.shape.length === 0 ? b.reshape(value, [1]) : value, 'float32');
  });
}
