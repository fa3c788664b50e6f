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

export const packed: Readonly<Record<string, Standard>> = { MatMulNBits: matMulNBits };
