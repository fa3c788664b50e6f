/** Linear maps that act on rows and columns independently, as two matrix products. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';

/** A dense `[rows, columns]` matrix, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/**
 * The matrix of a one-dimensional filter.
 * @param size length of the signal
 * @param outputs length of the filtered signal
 * @param taps for output i, the positions it reads (possibly outside the signal) and their weights
 * @param inside where a position outside the signal is read instead
 */
export function filterMatrix(
  size: number,
  outputs: number,
  taps: (i: number) => readonly { at: number; weight: number }[],
  inside: (at: number, size: number) => number,
): Matrix {
  const data = new Float64Array(outputs * size);
  for (let i = 0; i < outputs; i++)
    for (const { at, weight } of taps(i)) {
      const j = i * size + inside(at, size);
      data[j] = (data[j] as number) + weight;
    }
  return { rows: outputs, columns: size, data };
}

/** Mirrored about the edge pixel, which is not repeated: c b | a b c | b a. */
export function reflect(at: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const m = ((at % period) + period) % period;
  return m < size ? m : period - m;
}

/** Mirrored about the edge, the edge pixel repeated: b a | a b c | c b. */
export function mirror(at: number, size: number): number {
  const m = ((at % (2 * size)) + 2 * size) % (2 * size);
  return m < size ? m : 2 * size - 1 - m;
}

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
