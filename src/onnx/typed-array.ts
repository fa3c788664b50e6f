/** Numbers as arrays of the element types of ONNX. */
import { Float16Array } from '@petamoriken/float16';
import type { DType } from './dtype.ts';

/** Numbers as an array of an element type, from which a constant is made. */
export function typedArray(list: readonly number[] | Float32Array, dtype: DType): ArrayBufferView {
  switch (dtype) {
    case 'float32':
      return list instanceof Float32Array ? list : Float32Array.from(list);
    case 'float64':
      return Float64Array.from(list);
    case 'float16':
      return Float16Array.from(list);
    case 'int64':
      return BigInt64Array.from(Array.from(list, BigInt));
    case 'int32':
      return Int32Array.from(list);
    case 'int16':
      return Int16Array.from(list);
    case 'int8':
      return Int8Array.from(list);
    case 'bool':
    case 'uint8':
      return Uint8Array.from(list);
    default:
      throw new Error(`no constants of ${dtype}`);
  }
}
