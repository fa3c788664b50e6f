/** Attention written as two matrix products with a softmax between them: softmax(s q kᵀ) v. */
import type { NodeProto } from 'onnx-buf';
import { intAttr } from './attributes.ts';
import type { GraphBuilder } from './builder.ts';
import { constantNumbers, producers, useCounts, valueOf, type Graph, type Value } from './graph.ts';
import { sameShape, sizeOf } from '../tensor/tensor.ts';

/**
 * Weights, the softmax's results, from which it is worth it to take a block of queries at a time. They
 * are a number for each pair of positions: at 64×64 positions and 16 heads a gigabyte, where q, k and v
 * are 10 MB each.
 */
export const manyWeights = 1 << 23;
/** Weights that fit into a CPU's cache; a block of queries of a head has no more. */
const largestBlock = 1 << 20;

export interface Attention {
  /** `[...,queries,d]`, `[...,d,keys]` and `[...,keys,e]`. */
  readonly q: Value;
  readonly kT: Value;
  readonly v: Value;
  readonly scale: number;
  /** From the scores to the weights, the last first; nobody else reads what they give. */
  readonly nodes: readonly NodeProto[];
}

/** Finds attentions of many weights by the product that comes last in them; `uses` says what is read how often. */
export function attentionFinder(
  graph: Graph,
  uses = useCounts(graph),
): (last: NodeProto) => Attention | undefined {
  const maker = producers(graph);
  const value = (name: string | undefined): Value => valueOf(graph, name ?? '');
  const only = (name: string | undefined): NodeProto | undefined =>
    uses.get(name ?? '') === 1 ? maker.get(name ?? '') : undefined;
  return (last) => {
    const softmax = last.opType === 'MatMul' ? only(last.input[0]) : undefined;
    if (softmax?.opType !== 'Softmax') return undefined;
    const { shape } = value(softmax.output[0]);
    const axis = intAttr(softmax, 'axis', -1);
    if (sizeOf(shape) < manyWeights || (axis !== -1 && axis !== shape.length - 1)) return undefined;
    const nodes = [softmax];
    let scale = 1;
    let scores = only(softmax.input[0]);
    for (; scores && scores.opType !== 'MatMul'; scores = only(scores.input[0])) {
      nodes.push(scores);
      const [by, ...more] = constantNumbers(graph, scores.input[1]) ?? [];
      if (scores.opType === 'Mul' && by !== undefined && more.length === 0) scale *= by;
      else if (scores.opType === 'Div' && by && more.length === 0) scale /= by;
      else if (scores.opType !== 'Identity') return undefined;
    }
    if (!scores) return undefined;
    const [q, kT, v] = [value(scores.input[0]), value(scores.input[1]), value(last.input[1])];
    const isBatch = (m: Value): boolean => sameShape(m.shape.slice(0, -2), shape.slice(0, -2));
    if (![q, kT, v].every(isBatch)) return undefined;
    return { q, kT, v, scale, nodes: [...nodes, scores] };
  };
}

/** An attention's matrices `[...,n,m]` by head, and by block of queries in each. */
export function takenApart(
  b: GraphBuilder,
  q: Value,
  kT: Value,
): { byHead(m: Value): Value; byBlock(m: Value): Value } {
  const [queries = 1, keys = 1] = [q.shape.at(-2), kT.shape.at(-1)];
  const heads = sizeOf(q.shape.slice(0, -2));
  const blocks = blocksOf(queries, keys);
  return {
    byHead: (m) => b.reshape(m, [heads, ...m.shape.slice(-2)]),
    byBlock: (m) => b.reshape(m, [heads, blocks, queries / blocks, m.shape.at(-1) as number]),
  };
}

/** The fewest blocks of equally many queries that are small enough; one where only far more would be. */
function blocksOf(queries: number, keys: number): number {
  const fewest = Math.ceil((queries * keys) / largestBlock);
  for (let blocks = fewest; blocks <= 4 * fewest; blocks++)
    if (queries % blocks === 0) return blocks;
  return 1;
}
