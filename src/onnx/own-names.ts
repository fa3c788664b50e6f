/** Names for what ONNX Runtime's optimizations brought into a model. */
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  type ModelProto,
  type NodeProto,
} from 'onnx-buf';
import { amend } from './amend.ts';
import { changeBodies } from './bodies.ts';

/** Values of inlined functions, whose names are those of the model with this before them. */
const inlined = /^_inlfunc_/;

/**
 * `optimized` with `suffix` behind the names of values that `model` does not have. Optimized again, in whatever is
 * made of it, it would be given the same names once more, and ONNX Runtime stumbles over those that are taken.
 */
export function withOwnNames(optimized: ModelProto, model: ModelProto, suffix: string): ModelProto {
  const { graph } = optimized;
  if (!graph) return optimized;
  const known = namesIn(model);
  const brought = [...namesIn(optimized)].filter((name) => !known.has(name) && !inlined.test(name));
  if (brought.length === 0) return optimized;
  const names = new Map(brought.map((name) => [name, name + suffix]));
  const named = (name: string): string => names.get(name) ?? name;
  const renamed = (node: NodeProto): NodeProto =>
    amend(NodeProtoSchema, node, {
      input: node.input.map(named),
      output: node.output.map(named),
    });
  return amend(ModelProtoSchema, optimized, {
    graph: amend(GraphProtoSchema, graph, {
      node: graph.node.map((node) => changeBodies(renamed(node), renamed)),
      initializer: graph.initializer.map((t) =>
        amend(TensorProtoSchema, t, { name: named(t.name) }),
      ),
      valueInfo: [],
    }),
  });
}

/** Of the main graph: its inputs, constants, and what its nodes put out. */
function namesIn({ graph }: ModelProto): Set<string> {
  return new Set([
    ...(graph?.input ?? []).map((v) => v.name),
    ...(graph?.initializer ?? []).map((t) => t.name),
    ...(graph?.node ?? []).flatMap((n) => n.output.filter(Boolean)),
  ]);
}
