/** Operators that are many steps in one, written as those steps. */
import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from '../onnx/builder.ts';
import { NodeView } from './rule.ts';
import { ruleFor } from './rules.ts';

/**
 * Replaces the nodes among `nodes` whose rule says how, under the same names of outputs. The others keep
 * the kernel that ONNX Runtime has for them, as do nodes that their rule refuses: those are reported.
 */
export function expandNodes(b: GraphBuilder, nodes: ReadonlySet<NodeProto>): void {
  const { graph } = b;
  const expansion = (node: NodeProto) => {
    const rule = nodes.has(node) && node.domain === '' && ruleFor(node.opType, graph.opset);
    if (!rule || !rule.expand) return undefined;
    const view = new NodeView(graph, node);
    return rule.refuse?.(view) === undefined ? () => rule.expand?.(b, view) : undefined;
  };
  if (!graph.nodes.some(expansion)) return;
  const outer = b.scope;
  for (const node of graph.nodes.splice(0)) {
    const expand = expansion(node);
    if (!expand) {
      graph.nodes.push(node);
      continue;
    }
    b.scope = node.name || (node.output[0] ?? '');
    const values = expand() ?? [];
    node.output.forEach((name, i) => {
      const value = values[i];
      if (!name || !value) return;
      graph.values.delete(name);
      b.rename(value, name);
    });
  }
  b.scope = outer;
}
