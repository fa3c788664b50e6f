/** ONNX element types by name, with their width. */
import { TensorProto_DataType as T } from 'onnx-buf';
import { UserError } from '../errors.ts';

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

/** @throws UserError for a code outside the table (strings, complex numbers, 4 bits, 8-bit floats) */
export function dtypeOf(code: number, where: string): DType {
  const dtype = byCode.get(code);
  if (!dtype)
    throw new UserError(`${where}: element type ${T[code] ?? code} is not supported`, {
      hint: 'take the model in float32 or float16: neither strings nor less than 8 bits can be used',
    });
  return dtype;
}

export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'float64' || dtype === 'bfloat16';
}

/** The least and the most that an integer type holds; exact up to 32 bits. */
export function integerRange(dtype: DType): { least: number; most: number } {
  const values = 2 ** (8 * dtypes[dtype].bytes);
  return dtype.startsWith('u')
    ? { least: 0, most: values - 1 }
    : { least: -values / 2, most: values / 2 - 1 };
}
