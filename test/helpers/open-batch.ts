/** Leaves the batch of a graph open, as exporters do. */
import { create } from '@bufbuild/protobuf';
import { TensorShapeProto_DimensionSchema } from 'onnx-buf';
import type { Graph } from '../../src/onnx/graph.ts';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph, encodeModel } from '../../src/onnx/write.ts';

/** The bytes of a model whose inputs and outputs have any first axis; its nodes must allow it. */
export function encodeOpenBatch(graph: Graph): Uint8Array {
  const { proto } = parseModel(encodeGraph(graph), { folder: '.', where: 'graph' });
  for (const { type } of [...(proto.graph?.input ?? []), ...(proto.graph?.output ?? [])]) {
    if (type?.value.case !== 'tensorType') continue;
    const dims = type.value.value.shape?.dim;
    const value = { case: 'dimParam', value: 'batch' } as const;
    if (dims?.[0]) dims[0] = create(TensorShapeProto_DimensionSchema, { value });
  }
  return encodeModel(proto);
}
