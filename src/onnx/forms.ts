/** How nodes of one operator set are written in another. */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { amend } from './amend.ts';
import { intsAttr, makeAttributes, type Attributes } from './attributes.ts';
import type { GraphBuilder } from './builder.ts';

/** The set in which the form of some operators ended or began, those operators, and what their nodes become. */
export type Change = readonly [
  set: number,
  operators: RegExp,
  write: (node: NodeProto, b: GraphBuilder) => NodeProto,
];

/** What a node becomes by the first of the changes that there is for it. */
export function changing(due: readonly Change[], b: GraphBuilder): (node: NodeProto) => NodeProto {
  return (node) => {
    const change = due.find(([, operators]) => node.domain === '' && operators.test(node.opType));
    return change ? change[2](node, b) : node;
  };
}

export function without(node: NodeProto, ...names: readonly string[]): NodeProto {
  const attribute = node.attribute.filter((a) => !names.includes(a.name));
  return amend(NodeProtoSchema, node, { attribute });
}

/** With attributes that it does not have. */
export function withAttributes(node: NodeProto, attributes: Attributes): NodeProto {
  const attribute = [...node.attribute, ...makeAttributes(attributes)];
  return amend(NodeProtoSchema, node, { attribute });
}

/** With the first input and these after it. */
export function withInputs(node: NodeProto, names: readonly string[]): NodeProto {
  return amend(NodeProtoSchema, node, { input: [node.input[0] ?? '', ...names] });
}

/** An attribute, a list of integers, as the second input; `node` itself where it has none. */
export function withListInput(node: NodeProto, b: GraphBuilder, name: string): NodeProto {
  const list = intsAttr(node, name);
  return list ? withInputs(without(node, name), [b.ints(list).name]) : node;
}

/** GridSample's words for interpolation as those of Resize, which they are since set 20. */
export const wordOfResize = (mode: string): string => mode.replace(/^bi/, '');
