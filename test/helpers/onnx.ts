/** Graphs written node by node, in any operator set, without the builder's types. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { makeAttributes, type Attributes } from '../../src/onnx/attributes.ts';
import { emptyGraph, type Graph, type Value } from '../../src/onnx/graph.ts';
import { openGraph } from '../../src/session/session.ts';
import { sizeOf, tensor, type Tensor } from '../../src/tensor/tensor.ts';

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

/** A tensor of smooth, distinct values between -1 and 1. */
export function wave(shape: readonly number[]): Tensor {
  return tensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(1.7 * i + 0.3)),
  );
}

/** Runs a graph once on the CPU. */
export async function runOnce(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const session = await openGraph(graph, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
