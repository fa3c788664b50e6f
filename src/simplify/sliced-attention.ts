/** Attentions of many weights, a block of queries of a head at a time. */
import type { NodeProto } from 'onnx-buf';
import { attentionFinder, takenApart, type Attention } from '../onnx/attention.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';

/**
 * Rewrites attentions so that never more than a block of their weights is held, which computes the same
 * and takes no longer. Not for GPUs, to which every block is a call of its own.
 * @param end nodes from this on are left as they are
 * @param wanted whether to rewrite the attention that a node comes last in
 * @returns what `end` has become
 */
export function sliceAttention(
  b: GraphBuilder,
  end = b.graph.nodes.length,
  wanted: (last: NodeProto) => boolean = () => true,
): number {
  const { nodes, values } = b.graph;
  const find = attentionFinder(b.graph);
  const found = new Map<NodeProto, Attention>();
  for (const node of nodes.slice(0, end)) {
    const attention = wanted(node) ? find(node) : undefined;
    if (attention) found.set(node, attention);
  }
  const replaced = new Set([...found.values()].flatMap((attention) => attention.nodes));
  const outer = b.scope;
  let newEnd: number | undefined;
  nodes.splice(0).forEach((node, i) => {
    if (i === end) newEnd = nodes.length;
    const attention = found.get(node);
    if (replaced.has(node)) for (const name of node.output) values.delete(name);
    else if (!attention) nodes.push(node);
    else {
      const [name = ''] = node.output;
      b.scope = node.name || name;
      b.replace(name, inSlices(b, attention));
    }
  });
  b.scope = outer;
  return newEnd ?? nodes.length;
}

function inSlices(b: GraphBuilder, { q, kT, v, scale }: Attention): Value {
  const { byHead, byBlock } = takenApart(b, q, kT);
  const inputs = [byBlock(q), byHead(kT), byHead(v)];
  const [y] = b.scan(inputs, (head, [hq, hkT, hv]) =>
    head.scan([hq as Value], (block, [bq]) => {
      const scores = block.matMul(block.scale(bq as Value, scale), hkT as Value);
      return [block.matMul(block.op('Softmax', [scores], { axis: -1 }), hv as Value)];
    }),
  );
  return b.reshape(y as Value, [...q.shape.slice(0, -1), v.shape.at(-1) as number]);
}
