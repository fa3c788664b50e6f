/** Products and convolutions, with what comes before or after them in one. */
import {
  floatAttr,
  floatsAttr,
  hasAttr,
  intAttr,
  plainAttributes,
  stringAttr,
} from '../attributes.ts';
import type { GraphBuilder } from '../builder.ts';
import type { Value } from '../graph.ts';
import { activated, plus } from './activations.ts';
import type { Standard } from './standard.ts';

/** alpha A B, of operands that are turned before. */
const fusedMatMul: Standard = (b, v) => {
  const operand = (x: Value, side: 'A' | 'B'): Value => {
    const byBatch = intAttr(v.node, `transBatch${side}`, 0) === 1;
    const turned = byBatch ? firstToRows(b, x) : x;
    const transposed = intAttr(v.node, `trans${side}`, 0) === 1 && x.shape.length > 1;
    return transposed ? b.swapLast(turned) : turned;
  };
  const product = b.matMul(operand(v.x, 'A'), operand(v.w, 'B'));
  return [b.scale(product, floatAttr(v.node, 'alpha', 1))];
};

/** `[rows,…,columns]` as matrices `[…,rows,columns]`. */
function firstToRows(b: GraphBuilder, x: Value): Value {
  const last = x.shape.length - 1;
  const between = [...x.shape.keys()].slice(1, last);
  return b.transpose(x, [...between, 0, last]);
}

const fusedGemm: Standard = (b, v) => {
  const entries = Object.entries(plainAttributes(v.node));
  const own = entries.filter(([name]) => !name.startsWith('activation'));
  const product = b.op('Gemm', [v.x, v.w, v.input(2)], Object.fromEntries(own));
  const number = (name: string): number | undefined =>
    hasAttr(v.node, name) ? floatAttr(v.node, name, 0) : undefined;
  const y = activated(b, product, {
    name: stringAttr(v.node, 'activation', ''),
    alpha: number('activation_alpha'),
    beta: number('activation_beta'),
  });
  return y && [y];
};

/** Convolution, a sum, an activation. */
const fusedConv: Standard = (b, v) => {
  const { activation = '', activation_params: _, ...own } = plainAttributes(v.node);
  const [alpha, beta] = floatsAttr(v.node, 'activation_params') ?? [];
  const sum = plus(b, b.op('Conv', [v.x, v.w, v.input(2)], own), v.input(3));
  const y = activated(b, sum, { name: String(activation), alpha, beta });
  return y && [y];
};

export const products: Readonly<Record<string, Standard>> = {
  FusedMatMul: fusedMatMul,
  TransposeMatMul: fusedMatMul,
  FusedGemm: fusedGemm,
  FusedConv: fusedConv,
};
