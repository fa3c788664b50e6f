/** Messages of graphs, values and constants. */
import { create } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  TensorProtoSchema,
  TypeProto_TensorSchema,
  ValueInfoProtoSchema,
  type GraphProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { dtypes } from './dtype.ts';
import type { Graph, Value } from './graph.ts';
import type { Initializer } from './initializer.ts';

export function graphToProto(
  graph: Graph,
  tensorOf: (name: string, t: Initializer) => TensorProto = inlineTensor,
  declared: (v: Value) => ValueInfoProto = valueInfo,
): GraphProto {
  return create(GraphProtoSchema, {
    name: graph.name,
    node: graph.nodes,
    input: graph.inputs.map(declared),
    output: graph.outputs.map(declared),
    initializer: [...graph.initializers].map(([name, t]) => tensorOf(name, t)),
  });
}

/** The declaration of an input or output; a dimension that is a name is left open. */
export function valueInfo({
  name,
  dtype,
  shape,
}: Omit<Value, 'shape'> & { readonly shape: readonly (number | string)[] }): ValueInfoProto {
  const dim = shape.map((d) =>
    typeof d === 'string'
      ? { value: { case: 'dimParam' as const, value: d } }
      : { value: { case: 'dimValue' as const, value: BigInt(d) } },
  );
  const tensorType = create(TypeProto_TensorSchema, {
    elemType: dtypes[dtype].code,
    shape: { dim },
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: tensorType } },
  });
}

export function tensorHead(name: string, t: Initializer): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: dtypes[t.dtype].code,
    dims: t.shape.map(BigInt),
  });
}

export function inlineTensor(name: string, t: Initializer): TensorProto {
  const proto = tensorHead(name, t);
  proto.rawData = t.bytes() as Uint8Array<ArrayBuffer>;
  return proto;
}
