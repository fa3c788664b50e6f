/** Brings typed graphs to newer operator sets: to one that gradients are written in, or to another's. */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { amend } from './amend.ts';
import { intAttr, intsAttr, makeAttributes, stringAttr } from './attributes.ts';
import { changeBodies } from './bodies.ts';
import { GraphBuilder } from './builder.ts';
import { defaultOpset, valueOf, type Graph } from './graph.ts';

const oldest = 11;

/** Operators whose axes moved from an attribute to an input at opset 13. */
const movedAxes: Record<string, 'axes' | 'split'> = {
  ReduceSum: 'axes',
  Squeeze: 'axes',
  Unsqueeze: 'axes',
  Split: 'split',
};

/**
 * The same graph in opset 17 or newer. ScatterND with addition, LayerNormalization and constant
 * axes as inputs are then there for gradients; what changed its meaning in between says what it meant.
 * @throws UserError for a graph older than opset 11
 */
export function upgrade(graph: Graph, where: string): Graph {
  if (graph.opset >= defaultOpset) return graph;
  if (graph.opset < oldest)
    throw new UserError(`${where}: operator set ${graph.opset} is older than ${oldest}`, {
      hint: 'export it again with opset 17',
    });
  const old = graph.nodes.splice(0);
  const b = new GraphBuilder({ ...graph, opset: defaultOpset });
  for (const node of old) {
    if (graph.opset >= 13) b.graph.nodes.push(changeBodies(placed(node), placed));
    else if (flattening.includes(node.opType) && !overLast(b.graph, node)) softmaxOverTail(node, b);
    else
      b.graph.nodes.push(
        changeBodies(sameInNewForm(node, b, graph.opset), (inner) => {
          // What a body's values look like is not known, and so not what would be flattened.
          if (flattening.includes(inner.opType) && intAttr(inner, 'axis', 1) !== -1)
            throw new UserError(
              `${where}: ${inner.opType} ${inner.name} in a branch or a loop, as operator set ${graph.opset} has it`,
              { hint: 'export it again with opset 17' },
            );
          return sameInNewForm(inner, b, graph.opset);
        }),
      );
  }
  return b.graph;

  function placed(node: NodeProto): NodeProto {
    return graph.opset < 16 ? withRegionsPlaced(node) : node;
  }
}

/** Before opset 13 the axis of these said where to flatten to a matrix, whose rows were normalized. */
const flattening = ['Softmax', 'LogSoftmax', 'Hardmax'];

/** Nodes that only write differently what they do. */
function sameInNewForm(node: NodeProto, b: GraphBuilder, opset: number): NodeProto {
  if (movedAxes[node.opType]) return withAxesInput(node, b);
  // The ratio is that of training; since opset 12 it is an input.
  if (node.opType === 'Dropout' && opset < 12) return without(node, 'ratio');
  if (flattening.includes(node.opType)) return without(node, 'axis');
  return withRegionsPlaced(node);
}

/** Before opset 16 regions were not moved by half a pixel; since then they are unless the node says so. */
function withRegionsPlaced(node: NodeProto): NodeProto {
  if (node.opType !== 'RoiAlign') return node;
  const mode = makeAttributes({ coordinate_transformation_mode: 'output_half_pixel' });
  return amend(NodeProtoSchema, node, { attribute: [...node.attribute, ...mode] });
}

/** Whether an operator of `flattening` works on the last axis, which is the default since opset 13. */
function overLast(graph: Graph, node: NodeProto): boolean {
  return flattenedFrom(graph, node) === valueOf(graph, node.input[0] ?? '').shape.length - 1;
}

function flattenedFrom(graph: Graph, node: NodeProto): number {
  const axis = intAttr(node, 'axis', 1);
  return axis < 0 ? axis + valueOf(graph, node.input[0] ?? '').shape.length : axis;
}

function without(node: NodeProto, name: string): NodeProto {
  return amend(NodeProtoSchema, node, { attribute: node.attribute.filter((a) => a.name !== name) });
}

/** What changed its form after opset 17: since when, and what it is since then. */
const newer: readonly (readonly [
  since: number,
  RegExp,
  (n: NodeProto, b: GraphBuilder) => NodeProto,
])[] = [
  [18, /^Reduce/, (node, b) => withAxesInput(node, b, 'axes')],
  [18, /^Split$/, withOutputCount],
  [20, /^GridSample$/, withInterpolationNamed],
  [20, /^DFT$/, withAxisOfDft],
];

/**
 * The same graph in a newer operator set, so that it can be a part of a graph of that set.
 * Of what came after opset 17, most is new operators and types; what changed is changed here.
 * @param graph of opset 17 or newer
 * @returns `graph` itself if it is of that set or a newer one
 */
export function raiseOpset(graph: Graph, opset: number): Graph {
  if (graph.opset >= opset) return graph;
  const { initializers, values } = graph;
  const empty = { nodes: [], initializers: new Map(initializers), values: new Map(values) };
  const b = new GraphBuilder({ ...graph, ...empty, opset });
  const due = newer.filter(([since]) => since > graph.opset && since <= opset);
  for (const node of graph.nodes) {
    b.graph.nodes.push(changeBodies(raised(node), raised));
  }
  return b.graph;

  function raised(node: NodeProto): NodeProto {
    const change = due.find(([, type]) => node.domain === '' && type.test(node.opType));
    return change ? change[2](node, b) : node;
  }
}

/** Equal parts are since then to be asked for by their number. */
function withOutputCount(node: NodeProto): NodeProto {
  if (node.input[1]) return node;
  const count = makeAttributes({ num_outputs: node.output.length });
  return amend(NodeProtoSchema, node, { attribute: [...node.attribute, ...count] });
}

/** The axis, which was 1 where nothing was said, is an input since then. */
function withAxisOfDft(node: NodeProto, b: GraphBuilder): NodeProto {
  const [x = '', length = ''] = node.input;
  const axis = b.ints(intAttr(node, 'axis', 1)).name;
  return amend(NodeProtoSchema, without(node, 'axis'), { input: [x, length, axis] });
}

/** The words for interpolation, which are those of Resize since then. */
function withInterpolationNamed(node: NodeProto): NodeProto {
  const mode = stringAttr(node, 'mode', 'bilinear');
  const named = makeAttributes({ mode: mode.replace(/^bi/, '') });
  const attribute = [...node.attribute.filter((a) => a.name !== 'mode'), ...named];
  return amend(NodeProtoSchema, node, { attribute });
}

function withAxesInput(
  node: NodeProto,
  b: GraphBuilder,
  name = movedAxes[node.opType] as string,
): NodeProto {
  const axes = intsAttr(node, name);
  if (!axes) return node;
  return amend(NodeProtoSchema, without(node, name), {
    input: [node.input[0] ?? '', b.ints(axes).name],
  });
}

function softmaxOverTail(node: NodeProto, b: GraphBuilder): void {
  const x = valueOf(b.graph, node.input[0] ?? '');
  const axis = flattenedFrom(b.graph, node);
  b.scope = node.name;
  const rows = b.reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]);
  const normal = b.op(node.opType, [rows], { axis: -1 });
  b.replace(node.output[0] ?? '', b.reshape(normal, x.shape));
  b.scope = '';
}
