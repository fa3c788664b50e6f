/** Groups of nodes whose joint gradient is cheaper than that of each. */
import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from '../onnx/builder.ts';
import { valueOf, type Graph, type Value } from '../onnx/graph.ts';

export interface Composite {
  /** The value that the group is a function of. */
  readonly input: string;
  /** The gradient of `input`, of that of what the group's last node puts out. */
  readonly gradient: (b: GraphBuilder, g: Value) => Value;
}

/**
 * SiLU, which exporters write as z · sigmoid(z): g s (1 + z (1 − s)) with s = sigmoid(z). One
 * product and one sum less than by the two rules, on the largest tensors of a UNet.
 */
function silu(sigmoid: NodeProto): Composite {
  const input = sigmoid.input[0] ?? '';
  return {
    input,
    gradient(b, g) {
      const [z, s] = [valueOf(b.graph, input), valueOf(b.graph, sigmoid.output[0] ?? '')];
      const one = b.scalar(1, z);
      const slope = b.mul(s, b.add(b.mul(z, b.sub(one, s)), one));
      return b.mul(g, slope);
    },
  };
}

/** The composites of a graph, by the node that comes last in each. */
export function composites(graph: Graph): Map<NodeProto, Composite> {
  const uses = new Map<string, number>();
  for (const node of graph.nodes)
    for (const name of node.input) uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const { name } of graph.outputs) uses.set(name, (uses.get(name) ?? 0) + 1);
  const sigmoids = new Map(
    graph.nodes.filter((n) => n.opType === 'Sigmoid').map((n) => [n.output[0] ?? '', n]),
  );
  const found = new Map<NodeProto, Composite>();
  for (const node of graph.nodes) {
    if (node.opType !== 'Mul') continue;
    const [a = '', b = ''] = node.input;
    for (const [z, s] of [
      [a, b],
      [b, a],
    ] as const) {
      const sigmoid = sigmoids.get(s);
      // A sigmoid with another use has a gradient of its own.
      if (sigmoid?.input[0] === z && uses.get(s) === 1) found.set(node, silu(sigmoid));
    }
  }
  return found;
}
