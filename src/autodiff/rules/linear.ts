/** Gradients of matrix products and other contractions. g: gradient of the output. */
import { floatAttr, intAttr, stringAttr } from '../../onnx/attributes.ts';
import { einsumTerms, type EinsumTerms } from '../../onnx/einsum.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { sizeOf } from '../../tensor/tensor.ts';
import { eye } from '../adjoint.ts';
import { every, rule, type RuleContext, type RuleTable, type SlotGradient } from '../rule.ts';

// MatMul. A vector on the left counts as a row, one on the right as a column. Where the right
// operand is a single matrix, every row of a batch meets it, so that one Gemm does for all of them:
// it reads the matrix transposed where a MatMul would need a transposed copy of the weights.

const isVector = (v: Value): boolean => v.shape.length === 1;

/** The gradient with the rows and columns that vectors among the operands leave out. */
function asMatrices({ b, g, x, w }: RuleContext): Value {
  const batch = g.shape.slice(0, g.shape.length - Number(!isVector(x)) - Number(!isVector(w)));
  const rows = isVector(x) ? 1 : (x.shape.at(-2) as number);
  const columns = isVector(w) ? 1 : (w.shape.at(-1) as number);
  return b.reshape(g, [...batch, rows, columns]);
}

/** All rows of a batch as one matrix. */
function flat({ b }: RuleContext, v: Value): Value {
  const columns = v.shape.at(-1) as number;
  return b.reshape(v, [sizeOf(v.shape) / columns, columns]);
}

/** G Bᵀ. */
function matMulLeft(c: RuleContext): Value {
  const { b, x, w } = c;
  const g = asMatrices(c);
  if (w.shape.length > 2) return b.matMul(g, b.swapLast(w));
  const matrix = isVector(w) ? b.reshape(w, [...w.shape, 1]) : w;
  return b.reshape(b.op('Gemm', [flat(c, g), matrix], { transB: 1 }), x.shape);
}

/** Aᵀ G. */
function matMulRight(c: RuleContext): Value {
  const { b, x, w } = c;
  const g = asMatrices(c);
  if (w.shape.length <= 2)
    return b.reshape(b.op('Gemm', [flat(c, x), flat(c, g)], { transA: 1 }), w.shape);
  return b.matMul(isVector(x) ? b.reshape(x, [...x.shape, 1]) : b.swapLast(x), g);
}

// Gemm: y = α A' B' + β C, where A' and B' are A and B or their transposes.

const gemmFlags = ({ node }: NodeView): { alpha: number; transA: number; transB: number } => ({
  alpha: floatAttr(node, 'alpha', 1),
  transA: intAttr(node, 'transA', 0),
  transB: intAttr(node, 'transB', 0),
});

/** α G B'ᵀ, or its transpose α B' Gᵀ. */
function gemmLeft(c: RuleContext): Value {
  const { alpha, transA, transB } = gemmFlags(c);
  return transA
    ? c.b.op('Gemm', [c.w, c.g], { alpha, transA: transB, transB: 1 })
    : c.b.op('Gemm', [c.g, c.w], { alpha, transB: 1 - transB });
}

/** α A'ᵀ G, or its transpose α Gᵀ A'. */
function gemmRight(c: RuleContext): Value {
  const { alpha, transA, transB } = gemmFlags(c);
  return transB
    ? c.b.op('Gemm', [c.g, c.x], { alpha, transA: 1, transB: transA })
    : c.b.op('Gemm', [c.x, c.g], { alpha, transA: 1 - transA });
}

// Einsum

function termsOf(v: NodeView): EinsumTerms {
  const ranks = v.node.input.map((_, i) => v.input(i)?.shape.length ?? 0);
  return einsumTerms(stringAttr(v.node, 'equation', ''), ranks);
}

/**
 * The operand changes places with the result. What only the operand has was summed over: it gets
 * axes of size 1, which the driver expands. A letter that it repeats takes a diagonal: the gradient is on
 * that diagonal, where the identity matrix puts it.
 */
function einsumOperand(c: RuleContext, slot: number): Value {
  const { b, g, node } = c;
  const { operands, result } = termsOf(c);
  const { term: wanted, repeats } = withoutRepeats(operands[slot] as string, operands.join(''));
  const others = [...node.input.keys()].filter((i) => i !== slot);
  const terms = [
    result,
    ...others.map((i) => operands[i] as string),
    ...repeats.map(({ letter, at }) => letter + wanted[at]),
  ];
  const shape = (c.input(slot) as Value).shape;
  const diagonals = repeats.map(({ at }) => b.cast(eye(b, shape[at] as number), g.dtype));
  const shared = [...wanted].filter((letter) => terms.some((term) => term.includes(letter)));
  const inputs = [g, ...others.map((i) => c.input(i)), ...diagonals];
  const equation = `${terms.join(',')}->${shared.join('')}`;
  const product = b.op('Einsum', inputs, { equation });
  const sizes = product.shape.values();
  return b.reshape(
    product,
    [...wanted].map((l) => (shared.includes(l) ? (sizes.next().value as number) : 1)),
  );
}

/** A term with a letter of its own wherever it repeats one, and which was repeated where. */
function withoutRepeats(
  term: string,
  taken: string,
): { term: string; repeats: { letter: string; at: number }[] } {
  const free = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter(
    (letter) => !taken.includes(letter),
  );
  const repeats: { letter: string; at: number }[] = [];
  const letters = [...term].map((letter, at) => {
    if (term.indexOf(letter) === at) return letter;
    repeats.push({ letter, at });
    return free[repeats.length - 1] as string;
  });
  return { term: letters.join(''), repeats };
}

const gemmBias: SlotGradient = ({ b, g, node }) => b.scale(g, floatAttr(node, 'beta', 1));

export const linear: RuleTable = {
  MatMul: rule(matMulLeft, matMulRight),
  Gemm: rule(gemmLeft, gemmRight, gemmBias),
  Einsum: every(einsumOperand),
};
