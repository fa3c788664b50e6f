/** The graphs inside a node: branches of If, what Loop and Scan repeat. */
import type { NodeProto, ValueInfoProto } from 'onnx-buf';
import { modelInput } from './dims.ts';
import type { Graph, Value } from './graph.ts';

/**
 * A node's bodies as graphs, with the values of `around`, which they may read, and those of their own
 * whose types they declare, as the builder's do.
 */
export function bodiesOf(around: Graph, node: NodeProto): Graph[] {
  return node.attribute
    .flatMap((a) => (a.g ? [a.g] : a.graphs))
    .map((body) => {
      const inputs = body.input.flatMap(staticValue);
      const outputs = body.output.flatMap(staticValue);
      const own = [...inputs, ...body.valueInfo.flatMap(staticValue), ...outputs];
      return {
        ...around,
        name: body.name,
        inputs,
        outputs,
        nodes: body.node,
        values: new Map([...around.values, ...own.map((v) => [v.name, v] as const)]),
      };
    });
}

/** How often a node runs its body, as far as that is in the graph. */
export function repeats(graph: Graph, { opType, input }: NodeProto): number {
  // What is scanned comes after what is carried along.
  return opType === 'Scan' ? (graph.values.get(input.at(-1) ?? '')?.shape[0] ?? 1) : 1;
}

function staticValue(info: ValueInfoProto): Value[] {
  const type = info.type?.value;
  if (type?.case !== 'tensorType' || !type.value.shape) return [];
  const { name, dtype, shape } = modelInput(info, info.name);
  const sizes = shape.filter((d) => typeof d === 'number');
  return sizes.length === shape.length ? [{ name, dtype, shape: sizes }] : [];
}
