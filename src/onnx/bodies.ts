/** The graphs inside a node: branches of If, what Loop and Scan repeat. */
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  NodeProtoSchema,
  type GraphProto,
  type NodeProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { amend } from './amend.ts';
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

/** A node with every node in its bodies, and in theirs, changed. */
export function changeBodies(node: NodeProto, change: (inner: NodeProto) => NodeProto): NodeProto {
  return withBodies(node, (body) =>
    amend(GraphProtoSchema, body, { node: body.node.map((n) => changeBodies(change(n), change)) }),
  );
}

/** Calls `see` with a node and every node in its bodies, and in theirs. */
export function eachNode(node: NodeProto, see: (node: NodeProto) => void): void {
  see(node);
  for (const { g, graphs } of node.attribute)
    for (const body of g ? [g, ...graphs] : graphs) for (const n of body.node) eachNode(n, see);
}

/** A node with its bodies changed; `node` itself if it has none. */
export function withBodies(node: NodeProto, change: (body: GraphProto) => GraphProto): NodeProto {
  if (!node.attribute.some(hasBody)) return node;
  return amend(NodeProtoSchema, node, {
    attribute: node.attribute.map((a) =>
      hasBody(a)
        ? amend(AttributeProtoSchema, a, {
            ...(a.g && { g: change(a.g) }),
            graphs: a.graphs.map(change),
          })
        : a,
    ),
  });
}

const hasBody = (a: NodeProto['attribute'][number]): boolean =>
  a.g !== undefined || a.graphs.length > 0;

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
