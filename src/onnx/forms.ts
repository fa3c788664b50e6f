/** Nodes of which something moved from an attribute to an input. */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { amend } from './amend.ts';
import { intsAttr, makeAttributes, type Attributes } from './attributes.ts';
import type { GraphBuilder } from './builder.ts';

export function without(node: NodeProto, ...names: readonly string[]): NodeProto {
  const attribute = node.attribute.filter((a) => !names.includes(a.name));
  return amend(NodeProtoSchema, node, { attribute });
}

/** With attributes that it does not have. */
export function withAttributes(node: NodeProto, attributes: Attributes): NodeProto {
  const attribute = [...node.attribute, ...makeAttributes(attributes)];
  return amend(NodeProtoSchema, node, { attribute });
}

/** A list of integers as the second input; `node` itself where it has none. */
export function withListInput(node: NodeProto, b: GraphBuilder, name: string): NodeProto {
  const list = intsAttr(node, name);
  if (!list) return node;
  return amend(NodeProtoSchema, without(node, name), {
    input: [node.input[0] ?? '', b.ints(list).name],
  });
}
