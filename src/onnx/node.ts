/** Nodes as they are made and called outside a builder. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { makeAttributes, type Attributes } from './attributes.ts';

/** A node of one output, which it is called after. */
export function makeNode(
  opType: string,
  input: string[],
  output: string,
  attributes: Attributes = {},
): NodeProto {
  const name = `${output}/${opType}`;
  const attribute = makeAttributes(attributes);
  return create(NodeProtoSchema, { opType, name, input, output: [output], attribute });
}

/** What a node is called: names are optional in ONNX, and outputs are unique. */
export function nodeName({ name, output }: NodeProto): string {
  return name || (output[0] ?? '');
}
