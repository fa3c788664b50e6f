/** Operators that are many steps in one, written as those steps. */
import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { nodeName } from '../onnx/node.ts';
import { NodeView } from './rule.ts';
import { ruleFor } from './rules.ts';

/**
 * Replaces the nodes among `nodes` whose rule says how, under the same names of outputs. The others keep
 * the kernel that ONNX Runtime has for them, as do nodes that their rule refuses: those are reported.
 */
export function expandNodes(b: GraphBuilder, nodes: ReadonlySet<NodeProto>): void {
  const { graph } = b;
  const outer = b.scope;
  for (const node of graph.nodes.splice(0)) {
    const rule =
      nodes.has(node) && node.domain === '' ? ruleFor(node.opType, graph.opset) : undefined;
    const view = new NodeView(graph, node);
    if (!rule?.expand || rule.refuse?.(view) !== undefined) {
      graph.nodes.push(node);
      continue;
    }
    b.scope = nodeName(node);
    const values = rule.expand(b, view);
    node.output.forEach((name, i) => {
      if (name) b.replace(name, values[i] as Value);
    });
  }
  b.scope = outer;
}
