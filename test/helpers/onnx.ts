/** Graphs written node by node, in any operator set, without the builder's types. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { makeAttributes, type Attributes } from '../../src/onnx/attributes.ts';
import { emptyGraph, type Graph, type Value } from '../../src/onnx/graph.ts';

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
