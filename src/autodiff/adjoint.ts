/** Adjoints of linear maps that work on one axis or move whole elements. */
import { isFloat, type DType } from '../onnx/dtype.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { bytesOf } from '../onnx/initializer.ts';
import { showShape, sizeOf } from '../tensor/tensor.ts';
import { derived, derivedFloats } from './derived.ts';

/**
 * Rᵀ along one axis of `g`: the adjoint of y = R x there.
 * @param matrix R, `[size of y, size of x]`
 */
export function adjointAlong(b: GraphBuilder, g: Value, matrix: Value, axis: number): Value {
  const [rows = 0, columns = 0] = matrix.shape;
  const r = b.cast(matrix, g.dtype);
  const before = g.shape.slice(0, axis);
  const after = g.shape.slice(axis + 1);
  const product =
    sizeOf(after) === 1
      ? b.matMul(b.reshape(g, [sizeOf(before), rows]), r)
      : b.matMul(b.transpose(r, [1, 0]), b.reshape(g, [sizeOf(before), rows, sizeOf(after)]));
  return b.reshape(product, [...before, columns, ...after]);
}

/** The identity matrix in float32: what a linear operator does to it is the operator's matrix. */
export function eye(b: GraphBuilder, n: number): Value {
  return derivedFloats(b, `eye[${n}]`, [n, n], () =>
    Float32Array.from({ length: n * n }, (_, i) => Number(i % n === Math.floor(i / n))),
  );
}

/** Each element's position in a tensor of that shape, counted in row-major order, as int64. */
export function positions(b: GraphBuilder, shape: readonly number[]): Value {
  return derived(b, `positions${showShape(shape)}`, () => ({
    dtype: 'int64',
    shape,
    bytes: () => bytesOf(BigInt64Array.from({ length: sizeOf(shape) }, (_, i) => BigInt(i))),
  }));
}

/** ONNX Runtime adds in ScatterND and ScatterElements in these types only. */
const addable = (dtype: DType): DType =>
  isFloat(dtype) && dtype !== 'float64' ? 'float32' : dtype;

/** Zeros of a shape, to which `updates` are added where `indices` point (ScatterND). */
export function scatterAdd(
  b: GraphBuilder,
  shape: readonly number[],
  indices: Value,
  updates: Value,
): Value {
  const dtype = addable(updates.dtype);
  const inputs = [b.zeros({ dtype, shape }), indices, b.cast(updates, dtype)];
  return b.cast(b.op('ScatterND', inputs, { reduction: 'add' }), updates.dtype);
}

/** The same with one index an element along `axis` (ScatterElements). */
export function scatterAddAlong(
  b: GraphBuilder,
  shape: readonly number[],
  indices: Value,
  updates: Value,
  axis: number,
): Value {
  const dtype = addable(updates.dtype);
  const inputs = [b.zeros({ dtype, shape }), indices, b.cast(updates, dtype)];
  return b.cast(b.op('ScatterElements', inputs, { axis, reduction: 'add' }), updates.dtype);
}
