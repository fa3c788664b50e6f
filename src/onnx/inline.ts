/** Puts a whole graph into another: a network becomes a subgraph of what is being built. */
import {
  GraphProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
  type GraphProto,
  type NodeProto,
} from 'onnx-buf';
import { showShape, sameShape } from '../tensor/tensor.ts';
import { amend } from './amend.ts';
import { withBodies } from './bodies.ts';
import type { GraphBuilder } from './builder.ts';
import type { Graph, Value } from './graph.ts';
import { nodeName } from './node.ts';
import { raiseOpset } from './raise.ts';

/**
 * Appends the nodes of `network` to the graph that `b` builds, everything renamed under a scope.
 *
 * A constant that the graph holds already, because a network came in twice, is there once. An older
 * network is brought to the operator set of the graph; a graph that is older than the network must
 * be brought to its set first (`raiseOpset`).
 * @param network resolved, at the sizes of `inputs`; it is left as it is
 * @param inputs a value of the graph for each input of the network
 * @param scope begins every new name, as a module path: `/clip`; numbered where it is taken
 * @returns every value of the network, its outputs among them, by its name in the network
 * @throws RangeError if an input is missing or of another type than the network's, or the network
 * is of a newer operator set than the graph: defects of the caller
 */
export function inline(
  b: GraphBuilder,
  network: Graph,
  inputs: Readonly<Record<string, Value>>,
  scope: string,
): ReadonlyMap<string, Value> {
  const { graph } = b;
  if (network.opset > graph.opset)
    throw new RangeError(
      `${network.name}: operator set ${network.opset} in a graph of operator set ${graph.opset}`,
    );
  const raised = raiseOpset(network, graph.opset);
  const found = new Map<string, Value>();
  for (const input of raised.inputs) found.set(input.name, fitting(inputs[input.name], input));

  const known = new Map([...graph.initializers].map(([name, constant]) => [constant, name]));
  const free = freeScope(graph, raised, scope);
  for (const [name, constant] of raised.initializers) {
    const shared = graph.values.get(known.get(constant) ?? '');
    found.set(name, shared ?? b.initializer(`${free}/${name}`, constant));
  }
  const renamed = (name: string): string =>
    name === '' ? name : (found.get(name)?.name ?? `${free}/${name}`);
  for (const node of raised.nodes) {
    for (const name of node.output) {
      const value = raised.values.get(name);
      if (!value) continue;
      const moved = { ...value, name: renamed(name) };
      graph.values.set(moved.name, moved);
      found.set(name, moved);
    }
    graph.nodes.push(renameNode(node, renamed, free));
  }
  return found;
}

function fitting(given: Value | undefined, { name, dtype, shape }: Value): Value {
  const wanted = `${dtype} ${showShape(shape)}`;
  if (!given) throw new RangeError(`input '${name}' ${wanted} is missing`);
  if (given.dtype !== dtype || !sameShape(given.shape, shape))
    throw new RangeError(
      `input '${name}' is ${wanted}, got ${given.dtype} ${showShape(given.shape)}`,
    );
  return given;
}

/** `scope`, or the first of `scope_1`, `scope_2`, … under which no name of the network is taken. */
function freeScope(graph: Graph, network: Graph, scope: string): string {
  for (let i = 0; ; i++) {
    const candidate = i === 0 ? scope : `${scope}_${i}`;
    const taken = [...network.values.keys()].some((v) => graph.values.has(`${candidate}/${v}`));
    if (!taken) return candidate;
  }
}

export type Rename = (name: string) => string;

/** A node under new names, which go into the bodies of If, Loop and Scan as well. */
export function renameNode(node: NodeProto, renamed: Rename, scope: string): NodeProto {
  const outside = amend(NodeProtoSchema, node, {
    name: `${scope}/${nodeName(node)}`,
    input: node.input.map(renamed),
    output: node.output.map(renamed),
  });
  return withBodies(outside, (body) => renameBody(body, renamed, scope));
}

function renameBody(body: GraphProto, renamed: Rename, scope: string): GraphProto {
  const declared = <T extends GraphProto['input'][number]>(v: T) =>
    amend(ValueInfoProtoSchema, v, { name: renamed(v.name) });
  return amend(GraphProtoSchema, body, {
    node: body.node.map((n) => renameNode(n, renamed, scope)),
    input: body.input.map(declared),
    output: body.output.map(declared),
    valueInfo: [],
    initializer: body.initializer.map((t) =>
      amend(TensorProtoSchema, t, { name: renamed(t.name) }),
    ),
  });
}
