/** A model with other values of its weights, whole in one file. */
import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from 'onnx-buf';
import { amend } from '../onnx/amend.ts';
import { reads } from '../onnx/graph.ts';
import { initializerFrom, initializerOf, type Initializer } from '../onnx/initializer.ts';
import { inlineTensor } from '../onnx/proto.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { sizeOf } from '../tensor/tensor.ts';
import type { Layout } from './parameters.ts';

/**
 * The model with other values of its weights, in float32. All that it holds is inline, also what lay
 * in files beside it; what nothing reads any more is left out.
 * @throws UserError if such a file is not there
 */
export function withWeights(model: OnnxModel, layout: Layout, vector: Float32Array): ModelProto {
  const graph = model.proto.graph ?? create(GraphProtoSchema);
  const weights = new Map<string, Initializer>();
  let at = 0;
  for (const { name, shape } of layout.entries) {
    const values = vector.slice(at, (at += sizeOf(shape)));
    weights.set(name, initializerFrom('float32', shape, values));
  }
  const inFile = new Set(graph.initializer.map((t) => t.name));
  const replaced = graph.initializer.map((t) => {
    const weight = weights.get(t.name);
    return weight ? inlineTensor(t.name, weight) : t;
  });
  // A weight that a node only cast or renamed takes the place of that node.
  const added = [...weights].filter(([name]) => !inFile.has(name));
  const made = new Set(added.map(([name]) => name));
  const whole = amend(GraphProtoSchema, graph, {
    node: graph.node.filter((n) => !n.output.some((name) => made.has(name))),
    initializer: [...replaced, ...added.map(([name, t]) => inlineTensor(name, t))],
  });
  return amend(ModelProtoSchema, model.proto, { graph: inline(pruned(whole), model.folder) });
}

/** Without nodes and constants that no output depends on. */
function pruned(graph: GraphProto): GraphProto {
  const needed = new Set(graph.output.map((o) => o.name));
  const node = graph.node.toReversed().filter((n) => {
    const kept = n.output.some((name) => needed.has(name));
    if (kept) for (const name of reads(n)) needed.add(name);
    return kept;
  });
  const unread = new Set(graph.initializer.map((t) => t.name).filter((name) => !needed.has(name)));
  return amend(GraphProtoSchema, graph, {
    node: node.reverse(),
    initializer: graph.initializer.filter((t) => !unread.has(t.name)),
    // Old files list constants among the inputs too.
    input: graph.input.filter((i) => !unread.has(i.name)),
  });
}

function inline(graph: GraphProto, folder: string): GraphProto {
  return amend(GraphProtoSchema, graph, {
    initializer: graph.initializer.map((t) => inlineOf(t, folder)),
    node: graph.node.map((n) => inlineNode(n, folder)),
  });
}

function inlineNode(node: NodeProto, folder: string): NodeProto {
  const attribute = node.attribute.map((a) =>
    amend(AttributeProtoSchema, a, {
      ...(a.t && { t: inlineOf(a.t, folder) }),
      ...(a.g && { g: inline(a.g, folder) }),
      tensors: a.tensors.map((t) => inlineOf(t, folder)),
      graphs: a.graphs.map((g) => inline(g, folder)),
    }),
  );
  return amend(NodeProtoSchema, node, { attribute });
}

function inlineOf(tensor: TensorProto, folder: string): TensorProto {
  if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) return tensor;
  return amend(TensorProtoSchema, tensor, {
    rawData: initializerOf(tensor, folder).bytes() as Uint8Array<ArrayBuffer>,
    dataLocation: TensorProto_DataLocation.DEFAULT,
    externalData: [],
  });
}
