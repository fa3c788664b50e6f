/**
 * A model without its weights, for ONNX Runtime to resolve.
 *
 * ONNX Runtime folds shape arithmetic and inlines functions well, and shapes are all it needs for
 * that. So weights go to it as inputs of their shape: nothing is copied or written twice, and a
 * model of 400 MB resolves as fast as a small one.
 */
import { clone, create } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
  type ModelProto,
  type NodeProto,
} from 'onnx-buf';
import { UserError } from '../errors.ts';
import { amend } from './amend.ts';
import { collectConstants } from './constants.ts';
import { bindShapes, modelInput, type Bindings, type ModelInput } from './dims.ts';
import { reads, type Graph, type Value } from './graph.ts';
import { initializerOf, type Initializer } from './initializer.ts';
import { isFloat, type DType } from './dtype.ts';
import { standardize } from './fused/fused.ts';
import { lower } from './lower.ts';
import { opsetOf, type OnnxModel } from './read.ts';
import { upgrade } from './upgrade.ts';
import { widen } from './widen.ts';
import { inlineTensor, valueInfo } from './proto.ts';
import { sizeOf } from '../tensor/tensor.ts';

/** Float constants above this size cannot be part of shape arithmetic; they stay with us. */
const largestFoldable = 1024;

export interface Skeleton {
  readonly proto: ModelProto;
  readonly weights: ReadonlyMap<string, Initializer>;
  /** The model's own inputs, as the file declares them. */
  readonly inputs: readonly ModelInput[];
  readonly where: string;
}

/** The inputs a caller must feed: initializers listed as inputs, as old files do, are not. */
export function modelInputs(model: OnnxModel): ModelInput[] {
  const graph = model.proto.graph;
  const constants = new Set(graph?.initializer.map((t) => t.name));
  return (graph?.input ?? [])
    .filter((i) => !constants.has(i.name))
    .map((i) => modelInput(i, model.where));
}

/**
 * Takes the weights out of a model and fixes the sizes of its inputs.
 * @param kept constants that count as weights however small they are
 */
export function makeSkeleton(
  model: OnnxModel,
  bindings: Bindings,
  kept: ReadonlySet<string> = new Set(),
): Skeleton {
  const graph = model.proto.graph;
  if (!graph) throw new UserError(`${model.where}: the model has no graph`);
  if (graph.sparseInitializer.length > 0)
    throw new UserError(`${model.where}: sparse initializers are not supported`);
  const inputs = modelInputs(model);
  const shapes = bindShapes(inputs, bindings, model.where);
  const collected = collectConstants(model, graph);
  const declared = inputs.map(({ name, dtype }) => ({
    name,
    dtype,
    shape: shapes.get(name) ?? [],
  }));
  const wide = widen({ ...collected, inputs: declared, outputs: graph.output });
  const { constants } = wide;
  const nodes = lower(wide.nodes, constants, opsetOf(model.proto) ?? 0);

  const used = new Set(nodes.flatMap((n) => n.input));
  const holdsSubgraph = nodes.some((n) => n.attribute.some((a) => a.g ?? a.graphs.length));
  const weights = new Map<string, Initializer>();
  const small = new Map<string, Initializer>();
  for (const [name, t] of constants) {
    const foldable = !isFloat(t.dtype) || sizeOf(t.shape) <= largestFoldable;
    if (kept.has(name) || !foldable) weights.set(name, t);
    else if (holdsSubgraph || used.has(name) || wide.outputs.some((o) => o.name === name))
      small.set(name, t);
  }
  const weightInputs = [...weights].map(([name, { dtype, shape }]) =>
    valueInfo({ name, dtype, shape }),
  );
  const proto = create(ModelProtoSchema, {
    irVersion: model.proto.irVersion,
    opsetImport: model.proto.opsetImport,
    functions: model.proto.functions,
    graph: create(GraphProtoSchema, {
      name: graph.name,
      node: nodes,
      input: [...wide.inputs.map(valueInfo), ...weightInputs],
      output: [...wide.outputs],
      initializer: [...small].map(([name, t]) => inlineTensor(name, t)),
    }),
  });
  return { proto, weights, inputs, where: model.where };
}

/** `model` with those operators lowered that came to light when ONNX Runtime inlined functions. */
export function lowerInlined(model: ModelProto): ModelProto {
  const { graph, functions } = model;
  if (!graph || functions.length > 0) return model;
  const constants = new Map(graph.initializer.map((t) => [t.name, initializerOf(t, '.')]));
  const node = lower(graph.node, constants, opsetOf(model) ?? 0);
  const there = new Set(graph.initializer.map((t) => t.name));
  const added = [...constants].filter(([name]) => !there.has(name));
  const initializer = [...graph.initializer, ...added.map(([name, t]) => inlineTensor(name, t))];
  return amend(ModelProtoSchema, model, {
    graph: amend(GraphProtoSchema, graph, { node, initializer }),
  });
}

/** `proto` with every value that a node makes as an output, so that a session tells their types. */
export function exposeAll(proto: ModelProto): ModelProto {
  const graph = proto.graph;
  if (!graph) return proto;
  const known = new Set(graph.output.map((o) => o.name));
  const extra = graph.node
    .flatMap((n) => n.output)
    .filter((name) => name !== '' && !known.has(name))
    .map((name) => create(ValueInfoProtoSchema, { name }));
  const output = [...graph.output, ...extra];
  return amend(ModelProtoSchema, proto, { graph: amend(GraphProtoSchema, graph, { output }) });
}

/** `proto` with the shapes of those values as its outputs, in their order. */
export function exposeShapes(proto: ModelProto, names: readonly string[]): ModelProto {
  const graph = proto.graph;
  if (!graph) return proto;
  const shapes = names.map((name) =>
    create(NodeProtoSchema, { opType: 'Shape', input: [name], output: [`${name}/shape-of`] }),
  );
  const output = shapes.map((n) => create(ValueInfoProtoSchema, { name: n.output[0] ?? '' }));
  const node = [...graph.node, ...shapes];
  return amend(ModelProtoSchema, proto, {
    graph: amend(GraphProtoSchema, graph, { node, output }),
  });
}

/**
 * The typed graph of a resolved skeleton, with its weights back in place.
 * @param types element type and static shape of every value that a node puts out
 */
export function assemble(
  resolved: ModelProto,
  types: ReadonlyMap<string, { dtype: DType; shape: readonly number[] }>,
  skeleton: Skeleton,
): Graph {
  const proto = resolved.graph;
  if (!proto) throw new Error('assemble: the resolved model has no graph');
  const values = new Map<string, Value>();
  const initializers = new Map<string, Initializer>();
  const used = new Set(proto.node.flatMap(reads));
  for (const o of proto.output) used.add(o.name);
  const addConstant = (name: string, t: Initializer): void => {
    if (!used.has(name)) return;
    initializers.set(name, t);
    values.set(name, { name, dtype: t.dtype, shape: t.shape });
  };
  for (const t of proto.initializer) {
    // The session's bytes go when its buffer does; constants are small here, so copy.
    const kept = clone(TensorProtoSchema, t);
    addConstant(t.name, initializerOf(kept, '.'));
  }
  for (const [name, t] of skeleton.weights) addConstant(name, t);
  for (const [name, t] of types) if (!values.has(name)) values.set(name, { name, ...t });
  const inputs = proto.input
    .filter((i) => !skeleton.weights.has(i.name))
    .map((i) => {
      const { name, dtype, shape } = modelInput(i, skeleton.where);
      const value = { name, dtype, shape: shape.map(Number) };
      values.set(name, value);
      return value;
    });
  const outputs = proto.output.map((o) => values.get(o.name) as Value);
  const graph: Graph = {
    name: proto.name,
    opset: opsetOf(resolved) ?? 17,
    inputs,
    outputs,
    nodes: proto.node.map(plainNode),
    initializers,
    values,
  };
  return standardize(upgrade(graph, skeleton.where));
}

/** Without the stack traces and documentation that exporters attach to nodes. */
function plainNode(node: NodeProto): NodeProto {
  return amend(NodeProtoSchema, node, { docString: '', metadataProps: [] });
}
