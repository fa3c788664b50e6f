/** Models of one node of any operator, with constants or fed floats for inputs. */
import { create, toBinary } from '@bufbuild/protobuf';
import * as ort from 'onnxruntime-node';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as Kind,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
} from 'onnx-buf';
import type { DType } from '../../src/onnx/dtype.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { inlineTensor, valueInfo } from '../../src/onnx/proto.ts';
import { typedArray } from '../../src/onnx/typed-array.ts';
import { sizeOf, type Tensor } from '../../src/tensor/tensor.ts';
import { randomTensor } from './random.ts';

/** A constant, a float one that is fed if it has no values, or none. */
export type Slot = { shape: number[]; dtype?: DType; values?: number[] } | undefined;

/** Attributes of floats are written as strings of a number: 1 is an integer in JavaScript. */
type Attribute = number | string | { f: number } | { floats: number[] } | number[];

export interface OneNode {
  readonly operator: string;
  readonly name: string;
  readonly slots: readonly Slot[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Which outputs are looked at; the first if left out. */
  readonly outputs?: readonly number[];
  readonly domain?: string;
}

function attribute([name, value]: [string, Attribute]): AttributeProto {
  if (typeof value === 'number')
    return create(AttributeProtoSchema, { name, type: Kind.INT, i: BigInt(value) });
  if (typeof value === 'string')
    return create(AttributeProtoSchema, {
      name,
      type: Kind.STRING,
      s: new TextEncoder().encode(value),
    });
  if (Array.isArray(value))
    return create(AttributeProtoSchema, { name, type: Kind.INTS, ints: value.map(BigInt) });
  return 'f' in value
    ? create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: value.f })
    : create(AttributeProtoSchema, { name, type: Kind.FLOATS, floats: value.floats });
}

/** A model of one node. */
export function modelOf(c: OneNode, opset: number): Uint8Array {
  const { operator, slots, attributes = {}, outputs = [0], domain = 'com.microsoft' } = c;
  const input = slots.map((slot, i) => (slot ? `in.${i}` : ''));
  const named = slots.flatMap((slot, i) => (slot ? [{ ...slot, name: `in.${i}` }] : []));
  const fed = named.filter((slot) => !slot.values);
  const output = Array.from({ length: Math.max(...outputs) + 1 }, (_, i) =>
    outputs.includes(i) ? `out.${i}` : '',
  );
  const model = create(ModelProtoSchema, {
    irVersion: 9n,
    opsetImport: [
      create(OperatorSetIdProtoSchema, { version: BigInt(opset) }),
      create(OperatorSetIdProtoSchema, { domain: 'com.microsoft', version: 1n }),
    ],
    graph: create(GraphProtoSchema, {
      name: 'one',
      node: [
        create(NodeProtoSchema, {
          opType: operator,
          domain,
          input,
          output,
          attribute: Object.entries(attributes).map(attribute),
        }),
      ],
      input: fed.map(({ name, dtype = 'float32', shape }) => valueInfo({ name, dtype, shape })),
      output: output.filter(Boolean).map((name) => create(ValueInfoProtoSchema, { name })),
      initializer: named.flatMap(({ name, dtype = 'float32', shape, values }) =>
        values
          ? [inlineTensor(name, initializerFrom(dtype, shape, typedArray(values, dtype)))]
          : [],
      ),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

export function feedsOf({ slots, operator, name }: OneNode): Record<string, Tensor> {
  return Object.fromEntries(
    slots.flatMap((slot, i) =>
      slot && !slot.values
        ? [[`in.${i}`, randomTensor(`${operator} ${name} ${i}`, slot.shape)] as const]
        : [],
    ),
  );
}

/** What ONNX Runtime's kernel gives. */
export async function byKernel(
  bytes: Uint8Array,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const session = await ort.InferenceSession.create(bytes, {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 4,
  });
  const given = Object.entries(feeds).map(
    ([name, { shape, data }]) => [name, new ort.Tensor('float32', data, shape)] as const,
  );
  const results = await session.run(Object.fromEntries(given));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { dims, data }]) => [
      name,
      { shape: dims, data: Float32Array.from(data as Iterable<number>, Number) },
    ]),
  );
}

const ramp = (count: number, scale = 1, offset = 0): number[] =>
  Array.from({ length: count }, (_, i) => offset + scale * (((i * 7919) % 101) / 50 - 1));
export const whole = (count: number, most: number, least = 0): number[] =>
  Array.from({ length: count }, (_, i) => least + ((i * 7919 + 13) % (most - least + 1)));

export const x = (...shape: number[]): Slot => ({ shape });
export const floats = (...shape: number[]): Slot => ({ shape, values: ramp(sizeOf(shape), 0.7) });
export const ints = (dtype: DType, values: number[], shape = [values.length]): Slot => ({
  shape,
  dtype,
  values,
});
export const scalar = (value: number, dtype: DType = 'float32'): Slot => ({
  shape: [],
  dtype,
  values: [value],
});
