/** The one array type that rooms exchange: float32, row-major, with its shape. */

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Number of elements of a shape; 1 for a scalar (`[]`). */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}

/**
 * A tensor over `data`, which is not copied.
 * @throws RangeError if `data` does not hold exactly the elements of `shape`.
 */
export function tensor(shape: readonly number[], data: Float32Array): Tensor {
  if (data.length !== sizeOf(shape))
    throw new RangeError(
      `tensor: shape ${showShape(shape)} holds ${sizeOf(shape)} elements, data has ${data.length}`,
    );
  return { shape, data };
}

export function zeros(shape: readonly number[]): Tensor {
  return { shape, data: new Float32Array(sizeOf(shape)) };
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** `[1,3,256,256]`, as messages print shapes. */
export function showShape(shape: readonly (number | string)[]): string {
  return `[${shape.join(',')}]`;
}
