/** Nodes replaced by what they are written as. */
import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from './builder.ts';
import type { Value } from './graph.ts';
import { nodeName } from './node.ts';

/** What a node puts out, by slot; undefined for an output that is left out, or for what is not known. */
export type Written = readonly (Value | undefined)[];

/**
 * Replaces the nodes that `write` writes otherwise, under the same names of outputs. One that has an
 * output which is not among what is written stays.
 * @param write appends to the graph what stands for a node; undefined for a node to be kept
 */
export function rewriteNodes(
  b: GraphBuilder,
  write: (node: NodeProto) => Written | undefined,
): void {
  const outer = b.scope;
  for (const node of b.graph.nodes.splice(0)) {
    b.scope = nodeName(node);
    const values = write(node);
    if (!values || node.output.some((name, i) => name && !values[i])) {
      b.graph.nodes.push(node);
      continue;
    }
    node.output.forEach((name, i) => {
      if (name) b.replace(name, values[i] as Value);
    });
  }
  b.scope = outer;
}
