/**
 * The gradient of attention written as two matrix products with a softmax between them, from q, k and v:
 * the weights are computed again.
 *
 * Done a block of queries of one head at a time, they are never held whole (Dao et al. 2022,
 * "FlashAttention", algorithm 4, with whole rows of keys). It costs the product q kᵀ and the softmax a
 * second time.
 */
import type { NodeProto } from 'onnx-buf';
import { takenApart, type Attention } from '../onnx/attention.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import type { Composite, Surroundings } from './composites.ts';

/** q `[...,queries,d]`, kᵀ `[...,d,keys]`, v `[...,keys,e]` and the gradient g `[...,queries,e]`. */
export interface Operands {
  readonly q: Value;
  readonly kT: Value;
  readonly v: Value;
  readonly g: Value;
}

/** Gradients of q, kᵀ and v. */
export type Gradients = readonly [q: Value, kT: Value, v: Value];

/** The composite that ends in `last`, if that ends an attention of many weights. */
export function attentionCore(
  { path, forms, attentionOf }: Surroundings,
  last: NodeProto,
): Composite | undefined {
  if (forms.attention === 'kept') return undefined;
  const attention = attentionOf(last);
  if (!attention?.nodes.every((n) => path.values.has(n.output[0] ?? ''))) return undefined;
  const { q, kT, v, scale }: Attention = attention;
  const onPath = ({ name }: Value): boolean => path.values.has(name);
  return {
    inputs: [q, kT, v].filter(onPath).map(({ name }) => name),
    gradients(b, g) {
      const operands = { q, kT, v, g };
      const all = (forms.attention === 'sliced' ? inSlices : attentionGradients)(
        b,
        operands,
        scale,
      );
      return all.filter((_, i) => onPath([q, kT, v][i] as Value));
    },
  };
}

/** P = softmax(s q kᵀ), dP = g vᵀ and dS = P (dP − Σ dP P). No product has P or dS transposed. */
function attentionGradients(b: GraphBuilder, { q, kT, v, g }: Operands, scale: number): Gradients {
  const scaled = b.scale(q, scale);
  const p = b.op('Softmax', [b.matMul(scaled, kT)], { axis: -1 });
  const dP = b.matMul(g, b.swapLast(v));
  const dS = b.mul(p, b.sub(dP, b.reduce('Sum', b.mul(dP, p), [-1])));
  return [
    b.scale(b.matMul(dS, b.swapLast(kT)), scale),
    b.matMul(b.swapLast(scaled), dS),
    b.swapLast(b.matMul(b.swapLast(g), p)),
  ];
}

/** The same, a block of queries at a time. */
export function inSlices(b: GraphBuilder, { q, kT, v, g }: Operands, scale: number): Gradients {
  const { byHead, byBlock } = takenApart(b, q, kT);
  const gradients = b.scan([byBlock(q), byHead(kT), byHead(v), byBlock(g)], (head, slices) => {
    const [hq, hkT, hv, hg] = slices as [Value, Value, Value, Value];
    const [dq, dkT, dv] = head.scan([hq, hg], (block, [bq, bg]) => [
      ...attentionGradients(block, { q: bq as Value, kT: hkT, v: hv, g: bg as Value }, scale),
    ]) as unknown as Gradients;
    const sum = (m: Value): Value => head.reduce('Sum', m, [0], false);
    return [head.reshape(dq, q.shape.slice(-2)), sum(dkT), sum(dv)];
  });
  const [dq, dkT, dv] = gradients as unknown as Gradients;
  return [b.reshape(dq, q.shape), b.reshape(dkT, kT.shape), b.reshape(dv, v.shape)];
}
