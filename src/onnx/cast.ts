/** A value in another type. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { makeAttributes } from './attributes.ts';
import { dtypes, type DType } from './dtype.ts';

export function castNode(from: string, to: string, dtype: DType): NodeProto {
  return create(NodeProtoSchema, {
    opType: 'Cast',
    name: `${to}/Cast`,
    input: [from],
    output: [to],
    attribute: makeAttributes({ to: dtypes[dtype].code }),
  });
}
