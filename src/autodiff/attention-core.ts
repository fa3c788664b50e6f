/**
 * Attention written as two matrix products with a softmax between them, softmax(s q kᵀ) v: its
 * gradient from q, k and v, with the weights computed again.
 *
 * The weights are a number for each pair of positions: at 64×64 positions and 16 heads a gigabyte for
 * each attention, where q, k and v are 10 MB each. Of a block of queries of one head they fit into a
 * CPU's cache, and more than that is never held (Dao et al. 2022, "FlashAttention", algorithm 4, with
 * whole rows of keys). It costs the product q kᵀ and the softmax a second time.
 */
import type { NodeProto } from 'onnx-buf';
import { intAttr } from '../onnx/attributes.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { constantNumbers, valueOf, type Value } from '../onnx/graph.ts';
import { sameShape, sizeOf } from '../tensor/tensor.ts';
import type { Composite, Surroundings } from './composites.ts';

/** Weights from which recomputing them is worth it. */
export const smallest = 1 << 23;
/** Weights that are computed at once, where a block of queries has no more. */
const largestBlock = 1 << 20;

/** q `[...,queries,d]`, kᵀ `[...,d,keys]`, v `[...,keys,e]` and the gradient g `[...,queries,e]`. */
export interface Operands {
  readonly q: Value;
  readonly kT: Value;
  readonly v: Value;
  readonly g: Value;
}

/** Gradients of q, kᵀ and v. */
export type Gradients = readonly [q: Value, kT: Value, v: Value];

/** The composite that ends in a product with large attention weights, if `last` is such a product. */
export function attentionCore(
  { graph, path, maker, uses, forms }: Surroundings,
  last: NodeProto,
): Composite | undefined {
  const value = (name: string | undefined): Value => valueOf(graph, name ?? '');
  /** The node that makes a value that gradients pass, if no other node wants the value. */
  const only = (name: string | undefined): NodeProto | undefined =>
    uses.get(name ?? '') === 1 && path.values.has(name ?? '') ? maker.get(name ?? '') : undefined;
  if (forms.attention === 'kept' || last.opType !== 'MatMul') return undefined;
  const [weights = '', v = ''] = last.input;
  const softmax = only(weights);
  if (softmax?.opType !== 'Softmax' || sizeOf(value(weights).shape) < smallest) return undefined;
  const { shape } = value(weights);
  const axis = intAttr(softmax, 'axis', -1);
  if (axis !== -1 && axis !== shape.length - 1) return undefined;

  let scale = 1;
  let scores = only(softmax.input[0]);
  while (scores && scores.opType !== 'MatMul') {
    const [by, ...more] = constantNumbers(graph, scores.input[1]) ?? [];
    if (scores.opType === 'Mul' && by !== undefined && more.length === 0) scale *= by;
    else if (scores.opType === 'Div' && by && more.length === 0) scale /= by;
    else if (scores.opType !== 'Identity') return undefined;
    scores = only(scores.input[0]);
  }
  if (!scores) return undefined;
  const [q = '', kT = ''] = scores.input;
  const lead = shape.slice(0, -2);
  const operands = [q, kT, v];
  if (!operands.every((name) => sameShape(value(name).shape.slice(0, -2), lead))) return undefined;
  const inputs = operands.filter((name) => path.values.has(name));
  return {
    inputs,
    gradients(b, g) {
      const given = { q: value(q), kT: value(kT), v: value(v), g };
      const all = (forms.attention === 'sliced' ? inSlices : attentionGradients)(b, given, scale);
      return all.filter((_, i) => path.values.has(operands[i] as string));
    },
  };
}

/** P = softmax(s q kᵀ), dP = g vᵀ and dS = P (dP − Σ dP P). No product has P or dS transposed. */
function attentionGradients(b: GraphBuilder, { q, kT, v, g }: Operands, scale: number): Gradients {
  const turned = (m: Value): Value => {
    const end = m.shape.length - 1;
    return b.transpose(m, [...m.shape.keys()].with(end, end - 1).with(end - 1, end));
  };
  const scaled = b.scale(q, scale);
  const p = b.op('Softmax', [b.matMul(scaled, kT)], { axis: -1 });
  const dP = b.matMul(g, turned(v));
  const dS = b.mul(p, b.sub(dP, b.reduce('Sum', b.mul(dP, p), [-1])));
  return [
    b.scale(b.matMul(dS, turned(kT)), scale),
    b.matMul(turned(scaled), dS),
    turned(b.matMul(turned(g), p)),
  ];
}

/** The same, a block of queries at a time. */
export function inSlices(b: GraphBuilder, { q, kT, v, g }: Operands, scale: number): Gradients {
  const [queries = 1, keys = 1] = [q.shape.at(-2), kT.shape.at(-1)];
  const heads = sizeOf(q.shape.slice(0, -2));
  const blocks = blocksOf(queries, keys);
  const byHead = (m: Value): Value => b.reshape(m, [heads, ...m.shape.slice(-2)]);
  const byBlock = (m: Value): Value =>
    b.reshape(m, [heads, blocks, queries / blocks, m.shape.at(-1) as number]);
  const gradients = b.scan([byBlock(q), byHead(kT), byHead(v), byBlock(g)], (head, slices) => {
    const [hq, hkT, hv, hg] = slices as [Value, Value, Value, Value];
    const [dq, dkT, dv] = head.scan([hq, hg], (block, [bq, bg]) => [
      ...attentionGradients(block, { q: bq as Value, kT: hkT, v: hv, g: bg as Value }, scale),
    ]) as unknown as Gradients;
    const sum = (m: Value): Value => head.reduce('Sum', m, [0], false);
    return [head.reshape(dq, [queries, dq.shape.at(-1) as number]), sum(dkT), sum(dv)];
  });
  const [dq, dkT, dv] = gradients as unknown as Gradients;
  return [b.reshape(dq, q.shape), b.reshape(dkT, kT.shape), b.reshape(dv, v.shape)];
}

/** The fewest blocks of equally many queries that are small enough; one where only far more would be. */
function blocksOf(queries: number, keys: number): number {
  const fewest = Math.ceil((queries * keys) / largestBlock);
  for (let blocks = fewest; blocks <= 4 * fewest; blocks++)
    if (queries % blocks === 0) return blocks;
  return 1;
}
