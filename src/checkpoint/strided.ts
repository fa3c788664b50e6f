/** Tensors as views of a storage: an offset and a stride for each axis, in elements. */
import { UserError } from '../errors.ts';
import { dtypes, type DType } from '../onnx/dtype.ts';
import type { Initializer } from '../onnx/initializer.ts';
import { showShape, sizeOf } from '../tensor/tensor.ts';
import { readRange } from '../files/range.ts';

const mostAxes = 8;

/** A run of elements of one type in a file. */
export interface Storage {
  readonly file: string;
  readonly dtype: DType;
  /** Of the first byte, from the beginning of the file. */
  readonly start: number;
  readonly elements: number;
}

/**
 * The tensor of that size and stride. Nothing is read before its bytes are asked for.
 * @throws UserError if it does not lie within its storage, or is larger than it
 */
export function strided(
  storage: Storage,
  offset: unknown,
  size: unknown,
  stride: unknown,
): Initializer {
  const { file, dtype, start, elements } = storage;
  const shape = counts(size);
  const strides = counts(stride);
  const begin = counts([offset])?.[0];
  const fits = shape && strides && begin !== undefined && shape.length === strides.length;
  const reach = fits && shape.reduce((n, d, i) => n + (d - 1) * (strides[i] as number), begin);
  if (!fits || sizeOf(shape) > elements || (sizeOf(shape) > 0 && Number(reach) >= elements))
    throw new UserError(
      `${file}: a tensor of shape ${show(size)} and stride ${show(stride)} at offset ${show(offset)} does not fit its storage of ${elements} elements`,
      { hint: 'the checkpoint is damaged; download it again' },
    );
  const width = dtypes[dtype].bytes;
  if (isDense(shape, strides))
    return { dtype, shape, bytes: () => readRange(file, start + begin * width, length() * width) };
  function length(): number {
    return sizeOf(shape as number[]);
  }
  const bytes = (): Uint8Array =>
    gathered(readRange(file, start, elements * width), width, begin, shape, strides);
  return { dtype, shape, bytes };
}

/** A number or a few; whatever else a file may hold in their place can be too long to print. */
function show(value: unknown): string {
  if (typeof value === 'number') return String(value);
  const isShort = Array.isArray(value) && value.length <= mostAxes;
  return isShort && value.every((n) => typeof n === 'number') ? showShape(value) : 'unknown';
}

/** A list of whole numbers from 0 on, or undefined. */
function counts(value: unknown): number[] | undefined {
  if (!Array.isArray(value) || value.length > mostAxes) return undefined;
  return value.every((n) => Number.isSafeInteger(n) && n >= 0) ? value : undefined;
}

/** Whether elements lie one after the other, the last axis fastest. */
function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i] as number;
  }
  return true;
}

/** The elements in the order of the axes. */
function gathered(
  from: Uint8Array,
  width: number,
  begin: number,
  shape: readonly number[],
  strides: readonly number[],
): Uint8Array {
  const to = new Uint8Array(sizeOf(shape) * width);
  const index = shape.map(() => 0);
  let at = begin;
  for (let done = 0; done < to.length; done += width) {
    to.set(from.subarray(at * width, (at + 1) * width), done);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      at -= (strides[axis] as number) * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return to;
}
