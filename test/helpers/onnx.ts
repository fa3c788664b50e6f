/** Graphs written node by node, in any operator set, without the builder's types. */
import { create } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  NodeProtoSchema,
  ValueInfoProtoSchema,
  type GraphProto,
  type NodeProto,
} from 'onnx-buf';
import { makeAttributes, type Attributes } from '../../src/onnx/attributes.ts';
import type { DType } from '../../src/onnx/dtype.ts';
import { emptyGraph, type Graph, type Value } from '../../src/onnx/graph.ts';
import { valueInfo } from '../../src/onnx/proto.ts';

export function node(
  opType: string,
  input: string[],
  output: string[],
  attributes: Attributes = {},
): NodeProto {
  const name = output[0] ?? opType;
  return create(NodeProtoSchema, {
    opType,
    name,
    input,
    output,
    attribute: makeAttributes(attributes),
  });
}

export function graphOf(
  opset: number,
  inputs: readonly Value[],
  outputs: readonly Value[],
  nodes: readonly NodeProto[],
): Graph {
  const graph = emptyGraph('test', opset);
  graph.inputs.push(...inputs);
  graph.outputs.push(...outputs);
  graph.nodes.push(...nodes);
  return graph;
}

export const value = (name: string, dtype: DType, shape: number[]): Value => ({
  name,
  dtype,
  shape,
});

/** A branch that gives what its last node does; of a type that it says, or as exporters write them, does not. */
export function branchOf(nodes: readonly NodeProto[], type?: Omit<Value, 'name'>): GraphProto {
  const name = nodes.at(-1)?.output[0] ?? '';
  return create(GraphProtoSchema, {
    name: 'branch',
    node: [...nodes],
    output: [type ? valueInfo({ name, ...type }) : create(ValueInfoProtoSchema, { name })],
  });
}
