/** Operators that are many steps in one, written as those steps. */
import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from '../onnx/builder.ts';
import { NodeView } from '../onnx/node-view.ts';
import { rewriteNodes } from '../onnx/rewrite.ts';
import { ruleFor } from './rules.ts';

/**
 * Replaces the nodes among `nodes` whose rule says how, under the same names of outputs. The others keep
 * the kernel that ONNX Runtime has for them, as do nodes that their rule refuses: those are reported.
 */
export function expandNodes(b: GraphBuilder, nodes: ReadonlySet<NodeProto>): void {
  const { graph } = b;
  rewriteNodes(b, (node) => {
    const rule =
      nodes.has(node) && node.domain === '' ? ruleFor(node.opType, graph.opset) : undefined;
    const view = new NodeView(graph, node);
    return rule?.refuse?.(view) === undefined ? rule?.expand?.(b, view) : undefined;
  });
}
