/** Collects the constants of a model, and folds what hides them: Constant nodes, aliases, casts. */
import { AttributeProto_AttributeType as Kind, type GraphProto, type NodeProto } from 'onnx-buf';
import { intAttr } from './attributes.ts';
import { dtypeOf, isFloat } from './dtype.ts';
import {
  bytesOf,
  float32Values,
  initializerFrom,
  initializerOf,
  type Initializer,
} from './initializer.ts';
import type { OnnxModel } from './read.ts';

/**
 * Every constant of the main graph, and the nodes that are left without them.
 * Exporters write weights as float16 behind a Cast, and hide equal weights behind Identity.
 */
export function collectConstants(
  model: OnnxModel,
  graph: GraphProto,
): { constants: Map<string, Initializer>; nodes: NodeProto[] } {
  const constants = new Map(
    graph.initializer.map((t) => [t.name, initializerOf(t, model.folder)] as const),
  );
  const outputs = new Set(graph.output.map((o) => o.name));
  const nodes = graph.node.filter((node) => {
    const out = node.output[0] ?? '';
    if (node.domain !== '' || node.output.length !== 1 || outputs.has(out)) return true;
    const folded = foldNode(node, constants, model.folder);
    if (folded) constants.set(out, folded);
    return !folded;
  });
  return { constants, nodes };
}

function foldNode(
  node: NodeProto,
  constants: ReadonlyMap<string, Initializer>,
  folder: string,
): Initializer | undefined {
  if (node.opType === 'Constant') return constantOf(node, folder);
  const input = constants.get(node.input[0] ?? '');
  if (!input) return undefined;
  if (node.opType === 'Identity') return input;
  if (node.opType === 'Cast' && isFloat(input.dtype)) {
    const to = dtypeOf(intAttr(node, 'to', 0), `node ${node.name}`);
    if (to === input.dtype) return input;
    if (to === 'float32') return asFloat32(input);
  }
  return undefined;
}

/** The same constant in float32, converted each time it is read. */
export function asFloat32(t: Initializer): Initializer {
  return { dtype: 'float32', shape: t.shape, bytes: () => bytesOf(float32Values(t)) };
}

function constantOf(node: NodeProto, folder: string): Initializer | undefined {
  const value = node.attribute[0];
  switch (value?.type) {
    case Kind.TENSOR:
      return value.t && initializerOf(value.t, folder);
    case Kind.FLOAT:
      return initializerFrom('float32', [], Float32Array.of(value.f));
    case Kind.FLOATS:
      return initializerFrom('float32', [value.floats.length], Float32Array.from(value.floats));
    case Kind.INT:
      return initializerFrom('int64', [], BigInt64Array.of(value.i));
    case Kind.INTS:
      return initializerFrom('int64', [value.ints.length], BigInt64Array.from(value.ints));
    default:
      return undefined;
  }
}
