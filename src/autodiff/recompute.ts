/**
 * Trades memory for cheap arithmetic: what the backward pass wants of the forward pass is computed
 * again from what it keeps anyway.
 *
 * Between a normalization and the convolution after it lie an affine map and an activation. The
 * normalized value is kept for the normalization's own gradient; the others follow from it in a few
 * elementwise passes. Kept, each would be as large, for as long.
 */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { amend } from '../onnx/amend.ts';
import { valueOf, type Graph } from '../onnx/graph.ts';
import { sizeOf } from '../tensor/tensor.ts';

/** Operators that cost about as much as reading their operands. */
const cheap = new Set(
  'Add Cast Div Flatten Identity Mul Neg Relu Reshape Sigmoid Squeeze Sub Tanh Unsqueeze'.split(
    ' ',
  ),
);
/** Smaller values are not worth a second computation. */
const smallest = 1 << 14;

/**
 * Rewrites the nodes from `firstBackward` on so that they use recomputed values.
 * ONNX Runtime must be kept from merging them with the originals again (`openGraph` does).
 */
export function recompute(graph: Graph, firstBackward: number): void {
  const forward = graph.nodes.slice(0, firstBackward);
  const backward = graph.nodes.slice(firstBackward);
  const maker = new Map(forward.flatMap((n) => n.output.map((name) => [name, n] as const)));
  const large = (name: string): boolean =>
    maker.has(name) && sizeOf(graph.values.get(name)?.shape ?? []) >= smallest;
  const wanted = new Set(backward.flatMap((n) => n.input).filter(large));
  const isCheap = (name: string): boolean => cheap.has(maker.get(name)?.opType ?? '');
  const kept = new Set([...wanted].filter((name) => !isCheap(name)));

  /** Whether a value follows from small and kept ones by cheap operators. */
  const known = new Map<string, boolean>();
  const follows = (name: string): boolean => {
    if (!large(name) || kept.has(name)) return true;
    if (!isCheap(name)) return false;
    const before = known.get(name);
    if (before !== undefined) return before;
    const result = (maker.get(name) as NodeProto).input.every(follows);
    known.set(name, result);
    return result;
  };
  const again = new Set<string>();
  for (const node of forward)
    for (const name of node.output) {
      if (!wanted.has(name) || kept.has(name)) continue;
      if (follows(name)) again.add(name);
      else {
        kept.add(name);
        known.clear();
      }
    }

  const copies = new Map<string, string>();
  graph.nodes.length = firstBackward;
  const copyOf = (name: string): string => {
    if (!large(name) || kept.has(name)) return name;
    const made = copies.get(name);
    if (made) return made;
    const node = maker.get(name) as NodeProto;
    const input = node.input.map(copyOf);
    const output = node.output.map((o) => `${o}/again`);
    node.output.forEach((o, i) => {
      const copy = output[i] as string;
      copies.set(o, copy);
      graph.values.set(copy, { ...valueOf(graph, o), name: copy });
    });
    graph.nodes.push(amend(NodeProtoSchema, node, { name: `${node.name}/again`, input, output }));
    return copies.get(name) as string;
  };
  for (const node of backward) {
    const input = node.input.map((name) => (again.has(name) ? copyOf(name) : name));
    graph.nodes.push(amend(NodeProtoSchema, node, { input }));
  }
}
