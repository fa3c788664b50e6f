/**
 * Float32 computation written as float16 where that is safe: the reverse of `widen`, for GPUs.
 *
 * Convolutions and matrix products, which take the time, are computed in float16, and what follows
 * them element by element or moves their results stays in it. Statistics, exponentials and sums over
 * many values stay in float32, and so do places in an image, of whose 11 bits the pixels would take most,
 * and all that is not the network: prediction, operators, losses.
 */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { amend } from './amend.ts';
import { castNode } from './cast.ts';
import type { DType } from './dtype.ts';
import { freeName, reads, type Graph } from './graph.ts';
import { halfBits } from './half.ts';
import { bytesOf, float32Values, type Initializer } from './initializer.ts';

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

/** Always in float16. */
const heavy = words('Conv ConvTranspose MatMul Gemm');
/** In float16 where one of their computed operands is. */
const light = words(
  `Add AveragePool Concat DepthToSpace Expand Flatten Identity MaxPool Mul Neg Pad Relu Reshape
  Resize Sigmoid Slice SpaceToDepth Split Squeeze Sub Tanh Transpose Unsqueeze`,
);

/** What makes whole numbers of others. */
const rounding = words('Ceil Floor Round');

/** The nodes, up to the last heavy one before, whose results are rounded: places, which become indices. */
function placing({ nodes }: Graph): ReadonlySet<NodeProto> {
  const found = new Set<NodeProto>();
  const rounded = new Set<string>();
  for (const node of nodes.toReversed()) {
    const before = light.has(node.opType) && node.output.some((name) => rounded.has(name));
    if (before) found.add(node);
    if (before || rounding.has(node.opType)) for (const name of node.input) rounded.add(name);
  }
  return found;
}

/**
 * @param apart whether a node is not of the network, by its name
 * @returns a graph with the same values by name, and the same inputs and outputs
 * @throws UserError for a graph with branches or loops
 */
export function narrow(graph: Graph, apart: (node: string) => boolean): Graph {
  const nodes: NodeProto[] = [];
  const places = placing(graph);
  const values = new Map(graph.values);
  const initializers = new Map(graph.initializers);
  const outputs = new Set(graph.outputs.map((o) => o.name));
  /** Values in the other type, by name and type. */
  const cast = new Map<string, string>();

  /** A value in another float type: a constant as a constant, else by a Cast, each once. */
  const as = (name: string, dtype: Either): string => {
    const value = values.get(name);
    if (!value || value.dtype === dtype || !isEither(value.dtype)) return name;
    const known = cast.get(`${name} ${dtype}`);
    if (known !== undefined) return known;
    // A model that was float16 before has such names of its own.
    const other = freeName(values, `${name}/${dtype}`);
    cast.set(`${name} ${dtype}`, other);
    values.set(other, { ...value, name: other, dtype });
    const constant = graph.initializers.get(name);
    if (constant) initializers.set(other, halved(constant));
    else nodes.push(castNode(name, other, dtype));
    return other;
  };

  for (const node of graph.nodes) {
    if (reads(node).length > node.input.length)
      throw new UserError(
        `${graph.name}: ${node.opType} ${node.name}: no float16 form of branches`,
        {
          hint: 'leave out --precision',
        },
      );
    // The scales of Resize are float32 whatever is resized.
    const operands = node.opType === 'Resize' ? node.input.slice(0, 1) : node.input;
    const computed = operands.filter((name) => !graph.initializers.has(name));
    const half =
      node.domain === '' &&
      !apart(node.name) &&
      (heavy.has(node.opType) ||
        (light.has(node.opType) &&
          !places.has(node) &&
          computed.some((name) => values.get(name)?.dtype === 'float16')));
    const dtype = half ? 'float16' : 'float32';
    const input = node.input.map((name, slot) => (slot < operands.length ? as(name, dtype) : name));
    const after: NodeProto[] = [];
    const output = node.output.map((name) => {
      const value = values.get(name);
      if (!half || value?.dtype !== 'float32') return name;
      if (!outputs.has(name)) {
        values.set(name, { ...value, dtype });
        return name;
      }
      // What the graph gives keeps its type.
      const inside = freeName(values, `${name}/float16`);
      values.set(inside, { ...value, name: inside, dtype });
      after.push(castNode(inside, name, 'float32'));
      return inside;
    });
    nodes.push(amend(NodeProtoSchema, node, { input, output }), ...after);
  }
  return { ...graph, nodes, values, initializers };
}

type Either = 'float32' | 'float16';

function isEither(dtype: DType): dtype is Either {
  return dtype === 'float32' || dtype === 'float16';
}

/** A constant in float16, converted each time it is read. */
function halved(t: Initializer): Initializer {
  const bytes = (): Uint8Array => bytesOf(halfBits(float32Values(t)));
  return { dtype: 'float16', shape: t.shape, bytes };
}
