/** Linear maps that act on rows and columns independently, as two matrix products. */
import type { Matrix } from '../tensor/filter.ts';
import type { GraphBuilder } from './builder.ts';
import type { Value } from './graph.ts';

/** V x Hᵀ: `vertical` acts on columns, `horizontal` on rows. The adjoint is Vᵀ y H. */
export function separable(b: GraphBuilder, x: Value, vertical: Matrix, horizontal: Matrix): Value {
  const across = b.matMul(x, constant(b, transposed(horizontal)));
  return b.matMul(constant(b, vertical), across);
}

function constant(b: GraphBuilder, m: Matrix): Value {
  return b.constant(Float32Array.from(m.data), 'float32', [m.rows, m.columns]);
}

function transposed({ rows, columns, data }: Matrix): Matrix {
  const out = new Float64Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j] as number;
  return { rows: columns, columns: rows, data: out };
}
