/** Groups of nodes whose joint gradient is cheaper than that of each. */
import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from '../onnx/builder.ts';
import { producers, valueOf, type Graph, type Value } from '../onnx/graph.ts';
import type { Path } from './gradients.ts';
import { normalizedSilu } from './normalized-silu.ts';
import type { Forms } from './rule.ts';
import { siluGradient } from './silu.ts';

export interface Composite {
  /** The value that the group is a function of. */
  readonly input: string;
  /** The gradient of `input`, of that of what the group's last node puts out. */
  readonly gradient: (b: GraphBuilder, g: Value) => Value;
}

/** The composites on a path, by the node that comes last in each. */
export function composites(graph: Graph, path: Path, forms: Forms): Map<NodeProto, Composite> {
  const uses = new Map<string, number>();
  for (const node of graph.nodes)
    for (const name of node.input) uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const { name } of graph.outputs) uses.set(name, (uses.get(name) ?? 0) + 1);
  const maker = producers(graph);
  const found = new Map<NodeProto, Composite>();
  for (const node of path.nodes) {
    if (node.opType !== 'Mul') continue;
    const [a = '', b = ''] = node.input;
    for (const [z, s] of [
      [a, b],
      [b, a],
    ] as const) {
      const sigmoid = maker.get(s);
      // A sigmoid with another use has a gradient of its own.
      if (sigmoid?.opType !== 'Sigmoid' || sigmoid.input[0] !== z || uses.get(s) !== 1) continue;
      const group =
        forms.normalizedSilu === 'sliced'
          ? normalizedSilu({ graph, path, maker, uses, forms }, z)
          : undefined;
      found.set(node, group ?? silu(z, s));
    }
  }
  return found;
}

/** SiLU, which exporters write as z · sigmoid(z). */
function silu(z: string, sigmoid: string): Composite {
  return {
    input: z,
    gradient: (b, g) => siluGradient(b, valueOf(b.graph, z), valueOf(b.graph, sigmoid), g),
  };
}
