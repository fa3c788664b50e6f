/** Groups of nodes whose joint gradient is cheaper than that of each. */
import type { NodeProto } from 'onnx-buf';
import { attentionFinder, type Attention } from '../onnx/attention.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { producers, useCounts, valueOf, type Graph, type Value } from '../onnx/graph.ts';
import { attentionCore } from './attention-core.ts';
import type { Path } from './gradients.ts';
import { normalizedSilu } from './normalized-silu.ts';
import type { Forms } from './rule.ts';
import { siluGradient } from './silu.ts';

export interface Composite {
  /** The values on the path that the group is a function of. */
  readonly inputs: readonly string[];
  /** Their gradients, of that of what the group's last node puts out. */
  readonly gradients: (b: GraphBuilder, g: Value) => readonly Value[];
}

/** What decides whether nodes are a group. */
export interface Surroundings {
  readonly graph: Graph;
  readonly path: Path;
  readonly maker: ReadonlyMap<string, NodeProto>;
  readonly uses: ReadonlyMap<string, number>;
  readonly forms: Forms;
  readonly attentionOf: (last: NodeProto) => Attention | undefined;
}

/**
 * The composites on a path, by the node that comes last in each.
 * @param pinned values that no composite may span: their own gradients are wanted, or none passes them
 */
export function composites(
  graph: Graph,
  path: Path,
  forms: Forms,
  pinned: ReadonlySet<string>,
): Map<NodeProto, Composite> {
  const uses = useCounts(graph, pinned);
  const maker = producers(graph);
  const found = new Map<NodeProto, Composite>();
  const attentionOf = attentionFinder(graph, uses);
  const around: Surroundings = { graph, path, maker, uses, forms, attentionOf };
  for (const node of path.nodes) {
    const group = attentionCore(around, node) ?? activation(around, node);
    if (group) found.set(node, group);
  }
  return found;
}

/** The composite that ends in z · sigmoid(z). */
function activation(around: Surroundings, node: NodeProto): Composite | undefined {
  if (node.opType !== 'Mul') return undefined;
  const [a = '', b = ''] = node.input;
  for (const [z, s] of [
    [a, b],
    [b, a],
  ] as const) {
    const sigmoid = around.maker.get(s);
    // A sigmoid with another use has a gradient of its own.
    if (sigmoid?.opType !== 'Sigmoid' || sigmoid.input[0] !== z || around.uses.get(s) !== 1)
      continue;
    const sliced = around.forms.normalizedSilu === 'sliced';
    return (sliced ? normalizedSilu(around, z) : undefined) ?? silu(z, s);
  }
  return undefined;
}

/** SiLU, which exporters write as z · sigmoid(z). */
function silu(z: string, sigmoid: string): Composite {
  return {
    inputs: [z],
    gradients: (b, g) => [siluGradient(b, valueOf(b.graph, z), valueOf(b.graph, sigmoid), g)],
  };
}
