/** Constant tensors of a graph: where their bytes are, and what they hold. */
import { TensorProto_DataLocation, type TensorProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { readRange } from '../files/range.ts';
import { isFile } from '../files/read.ts';
import { showShape, sizeOf } from '../tensor/tensor.ts';
import { fileBeside, keepTogether } from './external.ts';
import { dtypeOf, dtypes, isFloat, type DType } from './dtype.ts';
import { halfValues } from './half.ts';

/** A constant; its little-endian bytes are only fetched when asked for. */
export interface Initializer {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: () => Uint8Array;
  /** Where they lie as they are, if they do. */
  readonly at?: { readonly file: string; readonly offset: number };
}

export function byteLength(t: { dtype: DType; shape: readonly number[] }): number {
  return sizeOf(t.shape) * dtypes[t.dtype].bytes;
}

/** How many weights there are among constants, bytes being quantized ones, and the bytes of them all. */
export function weightsAmong(constants: readonly Initializer[]): { count: number; bytes: number } {
  const weights = constants.filter(
    ({ dtype }) => isFloat(dtype) || dtype === 'int8' || dtype === 'uint8',
  );
  return {
    count: weights.reduce((n, t) => n + sizeOf(t.shape), 0),
    bytes: constants.reduce((n, t) => n + byteLength(t), 0),
  };
}

/**
 * The constant that `proto` describes, inline or in a file beside the model.
 * @param folder the model's folder, against which external locations are resolved
 * @throws UserError when bytes and shape disagree or the external file is not where it should be
 */
export function initializerOf(proto: TensorProto, folder: string): Initializer {
  const shape = proto.dims.map(Number);
  const dtype = dtypeOf(proto.dataType, `initializer ${proto.name}`);
  const length = byteLength({ dtype, shape });
  const checked = (bytes: Uint8Array): Uint8Array => {
    if (bytes.byteLength !== length)
      throw new UserError(
        `initializer ${proto.name}: ${dtype} ${showShape(shape)} needs ${length} bytes, the file holds ${bytes.byteLength}`,
        { hint: 'the model file is damaged; export or download it again' },
      );
    return bytes;
  };
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    return { dtype, shape, ...external(proto, folder, length) };
  }
  if (proto.rawData.byteLength > 0 || length === 0)
    return { dtype, shape, bytes: () => checked(proto.rawData) };
  return { dtype, shape, bytes: () => checked(typedFieldBytes(proto, dtype)) };
}

function external(
  proto: TensorProto,
  folder: string,
  expected: number,
): Required<Pick<Initializer, 'bytes' | 'at'>> {
  const entry = new Map(proto.externalData.map((e) => [e.key, e.value]));
  const file = fileBeside(folder, entry.get('location') ?? '', `initializer ${proto.name}`);
  const offset = Number(entry.get('offset') ?? 0);
  const length = Number(entry.get('length') ?? expected);
  if (length !== expected)
    throw new UserError(
      `initializer ${proto.name}: external data entry has ${length} bytes, its shape needs ${expected}`,
    );
  if (!Number.isSafeInteger(offset) || offset < 0)
    throw new UserError(
      `initializer ${proto.name}: external data offset '${entry.get('offset')}', expected a number of bytes`,
    );
  const bytes = (): Uint8Array => {
    if (isFile(file)) return readRange(file, offset, length);
    throw new UserError(`initializer ${proto.name}: external data file ${file} cannot be read`, {
      hint: keepTogether,
    });
  };
  return { bytes, at: { file, offset } };
}

/** The typed repeated fields, which small constants use instead of raw bytes. */
function typedFieldBytes(proto: TensorProto, dtype: DType): Uint8Array {
  switch (dtype) {
    case 'float32':
      return bytesOf(Float32Array.from(proto.floatData));
    case 'float64':
      return bytesOf(Float64Array.from(proto.doubleData));
    case 'int64':
      return bytesOf(BigInt64Array.from(proto.int64Data));
    case 'uint64':
      return bytesOf(BigUint64Array.from(proto.uint64Data));
    case 'uint32':
      return bytesOf(Uint32Array.from(proto.uint64Data, Number));
    case 'int32':
      return bytesOf(Int32Array.from(proto.int32Data));
    case 'float16':
    case 'bfloat16':
    case 'int16':
    case 'uint16':
      return bytesOf(Uint16Array.from(proto.int32Data));
    case 'int8':
    case 'uint8':
    case 'bool':
      return Uint8Array.from(proto.int32Data);
  }
}

export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A constant over values already in memory. */
export function initializerFrom(
  dtype: DType,
  shape: readonly number[],
  array: ArrayBufferView,
): Initializer {
  const bytes = bytesOf(array);
  if (bytes.byteLength !== byteLength({ dtype, shape }))
    throw new RangeError(`constant: ${dtype} ${showShape(shape)} over ${bytes.byteLength} bytes`);
  return { dtype, shape, bytes: () => bytes };
}

/** An aligned copy where needed: protobuf gives byte views at any offset. */
function aligned(bytes: Uint8Array, width: number): Uint8Array {
  // Not slice(), which of a Buffer is again a view.
  return bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
}

/** The values of a float or integer constant as float32. */
export function float32Values(t: Initializer): Float32Array {
  const raw = aligned(t.bytes(), dtypes[t.dtype].bytes);
  const n = sizeOf(t.shape);
  switch (t.dtype) {
    case 'float32':
      return new Float32Array(raw.buffer, raw.byteOffset, n);
    case 'float16':
      return halfValues(new Uint16Array(raw.buffer, raw.byteOffset, n));
    case 'bfloat16':
      return brainValues(new Uint16Array(raw.buffer, raw.byteOffset, n));
    default:
      return Float32Array.from(numbers(t));
  }
}

/** The values of bfloat16 bits, which are the upper half of a float32's. */
function brainValues(bits: Uint16Array): Float32Array {
  const whole = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) whole[i] = (bits[i] as number) << 16;
  return new Float32Array(whole.buffer);
}

/** The values of any constant as numbers; for shapes, axes, indices and scalars, not for weights. */
export function numbers(t: Initializer): number[] {
  const raw = aligned(t.bytes(), dtypes[t.dtype].bytes);
  const n = sizeOf(t.shape);
  const { buffer, byteOffset } = raw;
  switch (t.dtype) {
    case 'float32':
      return [...new Float32Array(buffer, byteOffset, n)];
    case 'float64':
      return [...new Float64Array(buffer, byteOffset, n)];
    case 'float16':
      return [...halfValues(new Uint16Array(buffer, byteOffset, n))];
    case 'bfloat16':
      return [...brainValues(new Uint16Array(buffer, byteOffset, n))];
    case 'int64':
      return Array.from(new BigInt64Array(buffer, byteOffset, n), Number);
    case 'uint64':
      return Array.from(new BigUint64Array(buffer, byteOffset, n), Number);
    case 'int32':
      return [...new Int32Array(buffer, byteOffset, n)];
    case 'uint32':
      return [...new Uint32Array(buffer, byteOffset, n)];
    case 'int16':
      return [...new Int16Array(buffer, byteOffset, n)];
    case 'uint16':
      return [...new Uint16Array(buffer, byteOffset, n)];
    case 'int8':
      return [...new Int8Array(buffer, byteOffset, n)];
    case 'uint8':
    case 'bool':
      return [...raw.subarray(0, n)];
  }
}
