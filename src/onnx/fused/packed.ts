/** Products with weights of a few bits each, a scale for each block of them. */
import { intAttr } from '../attributes.ts';
import type { GraphBuilder } from '../builder.ts';
import { isFloat } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { plus } from './activations.ts';
import type { Standard } from './standard.ts';

/** Bytes as the numbers of `bits` bits that are packed along their last axis, the lowest bits first. */
function unpacked(b: GraphBuilder, bytes: Value, bits: number): Value {
  const numbers = b.cast(bytes, 'int32');
  const parts = Array.from({ length: 8 / bits }, (_, i) => {
    const shifted = i === 0 ? numbers : b.div(numbers, b.constant(2 ** (i * bits), 'int32'));
    return b.op('Mod', [shifted, b.constant(2 ** bits, 'int32')]);
  });
  const { shape } = bytes;
  const stacked = parts.map((part) => b.reshape(part, [...shape, 1]));
  const last = shape.length - 1;
  const flat = shape.with(last, (shape[last] as number) * parts.length);
  return b.reshape(b.op('Concat', stacked, { axis: shape.length }), flat);
}

/** A (B − zero) scale, where B is `[N, blocks, bytes of a block]` and stands for `[N,K]`, transposed. */
const matMulNBits: Standard = (b, v) => {
  const { node, x, w } = v;
  const [scales, zeros, order, bias] = [v.input(2) as Value, v.input(3), v.input(4), v.input(5)];
  const bits = intAttr(node, 'bits', 4);
  const [rows, columns] = [intAttr(node, 'N', 0), intAttr(node, 'K', 0)];
  const size = intAttr(node, 'block_size', 0);
  const known = [2, 4, 8].includes(bits) && !order && intAttr(node, 'weight_prepacked', 0) === 0;
  if (!known || w.shape.includes(0)) return undefined;
  const blocks = Math.ceil(columns / size);
  const byBlock = [rows, blocks, 1];
  const numbers = unpacked(b, b.reshape(w, [rows, blocks, (size * bits) / 8]), bits);

  const zero = (): Value => {
    if (!zeros) return b.constant(2 ** (bits - 1), x.dtype);
    if (isFloat(zeros.dtype)) return b.reshape(zeros, byBlock);
    const packed = unpacked(b, b.reshape(zeros, [rows, Math.ceil((blocks * bits) / 8)]), bits);
    return b.reshape(b.cast(firstColumns(b, packed, blocks), x.dtype), byBlock);
  };
  const centred = b.sub(b.cast(numbers, x.dtype), zero());
  const weights = b.reshape(b.mul(centred, b.reshape(scales, byBlock)), [rows, blocks * size]);
  const product = b.matMul(x, b.swapLast(firstColumns(b, weights, columns)));
  return [plus(b, product, bias)];
};

/** What comes after is padding. */
function firstColumns(b: GraphBuilder, matrix: Value, count: number): Value {
  const rest = (matrix.shape[1] as number) - count;
  return rest === 0 ? matrix : (b.split(matrix, [count, rest], 1)[0] as Value);
}

/** What 4 bits stand for in bitsandbytes: a sign and seven magnitudes, or quantiles of a Gaussian (arXiv 2305.14314, appendix E). */
const magnitudes = [0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4];
const fourBits = [
  [...magnitudes, ...magnitudes.map((v) => -v)],
  [
    -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.3379152417122922, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1,
  ],
] as const;

/** A Bᵀ, where B is `[N,K]` in blocks along its rows, one after the other, each with its largest magnitude. */
const matMulBnb4: Standard = (b, v) => {
  const { node, x, w } = v;
  const scales = v.input(2) as Value;
  const [rows, columns] = [intAttr(node, 'N', 0), intAttr(node, 'K', 0)];
  const [size, levels] = [intAttr(node, 'block_size', 0), fourBits[intAttr(node, 'quant_type', 0)]];
  const count = rows * columns;
  // A last block that is not full is not known.
  if (!levels || intAttr(node, 'transB', 1) !== 1 || count % size !== 0) return undefined;
  const bytes = b.reshape(w, [count / 2, 1]);
  const [low, high] = b.parts(unpacked(b, bytes, 4), 2, 1) as [Value, Value];
  // The first of two is in the upper half.
  const indices = b.reshape(b.op('Concat', [high, low], { axis: 1 }), [count / size, size]);
  const table = b.constant(levels, x.dtype);
  const numbers = b.mul(b.op('Gather', [table, indices]), b.reshape(scales, [count / size, 1]));
  return [b.matMul(x, b.swapLast(b.reshape(numbers, [rows, columns])))];
};

export const packed: Readonly<Record<string, Standard>> = {
  MatMulNBits: matMulNBits,
  MatMulBnb4: matMulBnb4,
};
