/** The values of constants, in every element type and both ways of storing them. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Float16Array } from '@petamoriken/float16';
import { TensorProtoSchema } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { dtypes, type DType } from '../../src/onnx/dtype.ts';
import {
  float32Values,
  initializerFrom,
  initializerOf,
  numbers,
} from '../../src/onnx/initializer.ts';

const halves = [...new Uint16Array(Float16Array.of(-1.5, 0, 65504, 6e-8).buffer)];
/** The upper half of the float32 bits of -1.5, 0, 1 and 3. */
const brains = [0xbfc0, 0, 0x3f80, 0x4040];

interface Row {
  readonly dtype: DType;
  readonly array: ArrayBufferView;
  readonly fields: MessageInitShape<typeof TensorProtoSchema>;
  readonly values: number[];
}
const rows: Row[] = [
  {
    dtype: 'float32',
    array: Float32Array.of(-1.5, 0, 1, 3),
    fields: { floatData: [-1.5, 0, 1, 3] },
    values: [-1.5, 0, 1, 3],
  },
  {
    dtype: 'float64',
    array: Float64Array.of(-1.5, 0, 0.1, 3),
    fields: { doubleData: [-1.5, 0, 0.1, 3] },
    values: [-1.5, 0, 0.1, 3],
  },
  {
    dtype: 'float16',
    array: Uint16Array.from(halves),
    fields: { int32Data: halves },
    values: [-1.5, 0, 65504, 2 ** -24],
  },
  {
    dtype: 'bfloat16',
    array: Uint16Array.from(brains),
    fields: { int32Data: brains },
    values: [-1.5, 0, 1, 3],
  },
  {
    dtype: 'int64',
    array: BigInt64Array.of(-1n, 0n, 7n, 2n ** 40n),
    fields: { int64Data: [-1n, 0n, 7n, 2n ** 40n] },
    values: [-1, 0, 7, 2 ** 40],
  },
  {
    dtype: 'uint64',
    array: BigUint64Array.of(1n, 0n, 7n, 2n ** 40n),
    fields: { uint64Data: [1n, 0n, 7n, 2n ** 40n] },
    values: [1, 0, 7, 2 ** 40],
  },
  {
    dtype: 'uint32',
    array: Uint32Array.of(1, 0, 7, 2 ** 32 - 1),
    fields: { uint64Data: [1n, 0n, 7n, 2n ** 32n - 1n] },
    values: [1, 0, 7, 2 ** 32 - 1],
  },
  ...(['int32', 'int16', 'int8'] as const).map((dtype): Row => {
    const values = [-1, 0, 7, 127];
    const array = { int32: Int32Array, int16: Int16Array, int8: Int8Array }[dtype].from(values);
    return { dtype, array, fields: { int32Data: values }, values };
  }),
  ...(['uint16', 'uint8'] as const).map((dtype): Row => {
    const values = [1, 0, 7, 200];
    const array = { uint16: Uint16Array, uint8: Uint8Array }[dtype].from(values);
    return { dtype, array, fields: { int32Data: values }, values };
  }),
  {
    dtype: 'bool',
    array: Uint8Array.of(1, 0, 0, 1),
    fields: { int32Data: [1, 0, 0, 1] },
    values: [1, 0, 0, 1],
  },
];

describe('values', () => {
  test('every element type has a row', () =>
    expect(rows.map((r) => r.dtype).sort()).toEqual(Object.keys(dtypes).sort()));

  test.each(rows)('$dtype, raw bytes at an odd offset', ({ dtype, array, values }) => {
    const { buffer, byteOffset, byteLength } = array;
    const shifted = Buffer.from(new ArrayBuffer(byteLength + 1), 1);
    shifted.set(new Uint8Array(buffer, byteOffset, byteLength));
    const proto = create(TensorProtoSchema, {
      dataType: dtypes[dtype].code,
      dims: [2n, 2n],
      rawData: shifted,
    });
    expect(numbers(initializerOf(proto, '.'))).toEqual(values);
  });

  test.each(rows)('$dtype, typed fields', ({ dtype, fields, values }) => {
    const proto = create(TensorProtoSchema, {
      ...fields,
      dataType: dtypes[dtype].code,
      dims: [4n],
    });
    const constant = initializerOf(proto, '.');
    expect(numbers(constant)).toEqual(values);
    expect([...float32Values(constant)]).toEqual(values.map(Math.fround));
  });
});

describe('refusals', () => {
  test('bytes that do not fill the shape', () => {
    const proto = create(TensorProtoSchema, {
      name: 'w',
      dataType: dtypes.float32.code,
      dims: [3n],
      rawData: new Uint8Array(8),
    });
    expect(() => initializerOf(proto, '.').bytes()).toThrow(
      'initializer w: float32 [3] needs 12 bytes, the file holds 8',
    );
    expect(() => initializerFrom('float32', [3], new Float32Array(2))).toThrow('over 8 bytes');
  });

  test('element types beyond the table', () =>
    expect(() => initializerOf(create(TensorProtoSchema, { name: 's', dataType: 8 }), '.')).toThrow(
      'initializer s: element type STRING is not supported',
    ));
});
