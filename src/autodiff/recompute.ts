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
import { nodeName } from '../onnx/node.ts';
import { peakBytes } from '../onnx/peak.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { checkpoints } from './checkpoints.ts';
import type { Forms } from './rule.ts';

/** Operators that cost about as much as reading their operands. */
const cheap = new Set(
  'Add Cast Div Flatten Identity Mul Neg Relu Reshape Sigmoid Squeeze Sub Tanh Unsqueeze'.split(
    ' ',
  ),
);
/** Operators that give something else each time. */
const random = /^(Random|Bernoulli|Multinomial|Dropout)/;
/** Smaller values are not worth a second computation. */
const smallest = 1 << 14;

/** Numbers of segments to choose from: few keep little, and compute long stretches at once. */
const segmentCounts = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/**
 * Rewrites the nodes from `firstBackward` on so that they use recomputed values.
 * ONNX Runtime must be kept from merging them with the originals again (`openGraph` does).
 */
export function recompute(
  graph: Graph,
  firstBackward: number,
  how: Exclude<Forms['recompute'], 'nothing'>,
): void {
  const forward = graph.nodes.slice(0, firstBackward);
  const backward = graph.nodes.slice(firstBackward);
  const sizes = new Map<string, number>();
  for (const name of forward.flatMap((n) => n.output)) {
    const size = sizeOf(graph.values.get(name)?.shape ?? []);
    if (size >= smallest) sizes.set(name, size);
  }
  const maker = new Map(forward.flatMap((n) => n.output.map((name) => [name, n] as const)));
  const isCheap = (name: string): boolean => cheap.has(maker.get(name)?.opType ?? '');
  const isRandom = (name: string): boolean => random.test(maker.get(name)?.opType ?? '');
  const wanted = new Set(backward.flatMap((n) => n.input).filter((name) => sizes.has(name)));
  const suffix = freeSuffix(graph, maker.keys());
  /** Names of what is computed again. */
  const copied = new Set<string>();
  const costly = new Set([...wanted].filter((name) => !isCheap(name)));
  const rewrite = (kept: Set<string>, again: (name: string) => boolean): void => {
    for (const node of graph.nodes.splice(firstBackward))
      for (const name of node.output) if (copied.has(name)) graph.values.delete(name);
    graph.nodes.push(
      ...repeated(graph, backward, { sizes, maker, suffix, wanted, kept, again, copied }),
    );
  };
  if (how === 'cheap') return rewrite(costly, isCheap);
  const candidates = segmentCounts.map((n) => checkpoints(forward, sizes, costly, n));
  const peaks = candidates.map((kept) => {
    rewrite(new Set(kept), (name) => !isRandom(name));
    return peakBytes(graph);
  });
  const best = candidates[peaks.indexOf(Math.min(...peaks))] as Set<string>;
  rewrite(best, (name) => !isRandom(name));
}

/** What copies are called, behind the names of what they are of; a graph may hold copies already. */
function freeSuffix({ values }: Graph, names: Iterable<string>): string {
  const all = [...names];
  let suffix = '/again';
  for (let i = 1; all.some((name) => values.has(name + suffix)); i++) suffix = `/again_${i}`;
  return suffix;
}

interface Plan {
  /** Elements of large values of the forward pass. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly maker: ReadonlyMap<string, NodeProto>;
  readonly suffix: string;
  /** Of them, those that the backward pass reads. */
  readonly wanted: ReadonlySet<string>;
  /** Is added to where a wanted value does not follow from what is kept. */
  readonly kept: Set<string>;
  /** Whether a value may be computed again. */
  again(name: string): boolean;
  /** Takes up the names of the copies. */
  readonly copied: Set<string>;
}

/** The backward pass with what it reads computed again, right before it is first read. */
function repeated(graph: Graph, backward: readonly NodeProto[], plan: Plan): NodeProto[] {
  const { sizes, maker, suffix, wanted, kept } = plan;
  /** Whether a value follows from small and kept ones. */
  const known = new Map<string, boolean>();
  const follows = (name: string): boolean => {
    if (!sizes.has(name) || kept.has(name)) return true;
    if (!plan.again(name)) return false;
    const before = known.get(name);
    if (before !== undefined) return before;
    const result = (maker.get(name) as NodeProto).input.every(follows);
    known.set(name, result);
    return result;
  };
  for (const name of sizes.keys()) {
    if (!wanted.has(name) || follows(name)) continue;
    kept.add(name);
    known.clear();
  }

  const nodes: NodeProto[] = [];
  const copies = new Map<string, string>();
  const copyOf = (name: string): string => {
    if (!sizes.has(name) || kept.has(name)) return name;
    const made = copies.get(name);
    if (made) return made;
    const node = maker.get(name) as NodeProto;
    const input = node.input.map(copyOf);
    // Optional outputs that are left out have no name.
    const output = node.output.map((o) => o && o + suffix);
    for (const o of node.output.filter(Boolean)) {
      const copy = o + suffix;
      copies.set(o, copy);
      plan.copied.add(copy);
      graph.values.set(copy, { ...valueOf(graph, o), name: copy });
    }
    nodes.push(amend(NodeProtoSchema, node, { name: nodeName(node) + suffix, input, output }));
    return copies.get(name) as string;
  };
  for (const node of backward) {
    const input = node.input.map((name) => (wanted.has(name) ? copyOf(name) : name));
    nodes.push(amend(NodeProtoSchema, node, { input }));
  }
  return nodes;
}
