/** ONNX element types by name, with their width. */
import { TensorProto_DataType as T } from 'onnx-buf';

export const dtypes = {
  float32: { code: T.FLOAT, bytes: 4 },
  float16: { code: T.FLOAT16, bytes: 2 },
  bfloat16: { code: T.BFLOAT16, bytes: 2 },
  float64: { code: T.DOUBLE, bytes: 8 },
  int8: { code: T.INT8, bytes: 1 },
  int16: { code: T.INT16, bytes: 2 },
  int32: { code: T.INT32, bytes: 4 },
  int64: { code: T.INT64, bytes: 8 },
  uint8: { code: T.UINT8, bytes: 1 },
  uint16: { code: T.UINT16, bytes: 2 },
  uint32: { code: T.UINT32, bytes: 4 },
  uint64: { code: T.UINT64, bytes: 8 },
  bool: { code: T.BOOL, bytes: 1 },
} as const;

export type DType = keyof typeof dtypes;

const byCode = new Map<number, DType>(
  Object.entries(dtypes).map(([name, { code }]) => [code, name as DType]),
);

/** @throws RangeError for a code outside the table (strings, complex, 4-bit and 8-bit floats). */
export function dtypeOf(code: number, where: string): DType {
  const dtype = byCode.get(code);
  if (!dtype) throw new RangeError(`${where}: element type ${T[code] ?? code} is not supported`);
  return dtype;
}

export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'float64' || dtype === 'bfloat16';
}
