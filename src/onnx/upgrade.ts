/** Brings typed graphs of older operator sets to the one that gradients are written in. */
import type { NodeProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { floatAttr, intAttr } from './attributes.ts';
import { changeBodies } from './bodies.ts';
import { GraphBuilder } from './builder.ts';
import { defaultOpset, valueOf, type Graph, type Value } from './graph.ts';
import { flattening, sinceThen } from './older.ts';
import { rewriteNodes, type Written } from './rewrite.ts';

/** Operands of different shapes had another rule before. */
const oldest = 7;

/**
 * The same graph in opset 17 or newer. ScatterND with addition, LayerNormalization and constant
 * axes as inputs are then there for gradients; what changed its meaning in between says what it meant.
 * @throws UserError for a graph older than opset 7
 */
export function upgrade(graph: Graph, where: string): Graph {
  const { opset } = graph;
  if (opset >= defaultOpset) return graph;
  if (opset < oldest)
    throw new UserError(`${where}: operator set ${opset} is older than ${oldest}`, {
      hint: 'export it again with opset 17',
    });
  const old = new Set(graph.nodes);
  const b = new GraphBuilder({ ...graph, opset: defaultOpset });
  const upgraded = sinceThen(opset, b);
  rewriteNodes(b, (node) => rewritten(node, b, opset));
  const nodes = b.graph.nodes.map((node) => {
    if (!old.has(node)) return node;
    if (node.opType === 'Scan' && opset < 9) throw notIn(where, `Scan ${node.name}`, opset);
    return changeBodies(upgraded(node), (inner) => {
      // What a body's values look like is not known, and so not what would be flattened.
      if (opset < 13 && flattening.test(inner.opType) && intAttr(inner, 'axis', 1) !== -1)
        throw notIn(where, `${inner.opType} ${inner.name} in a branch or a loop`, opset);
      return upgraded(inner);
    });
  });
  return { ...b.graph, nodes };
}

function notIn(where: string, what: string, opset: number): UserError {
  return new UserError(`${where}: ${what}, as operator set ${opset} has it`, {
    hint: 'export it again with opset 17',
  });
}

/** What a node is that is several in set 17. */
function rewritten(node: NodeProto, b: GraphBuilder, opset: number): Written | undefined {
  if (opset < 13 && flattening.test(node.opType) && !overLast(b.graph, node))
    return [softmaxOverTail(node, b)];
  const perPlace = node.opType === 'BatchNormalization' && intAttr(node, 'spatial', 1) === 0;
  return opset < 9 && perPlace ? [normalizedByPlace(node, b)] : undefined;
}

/** Whether an operator of `flattening` works on the last axis, which is the default since opset 13. */
function overLast(graph: Graph, node: NodeProto): boolean {
  return flattenedFrom(graph, node) === valueOf(graph, node.input[0] ?? '').shape.length - 1;
}

function flattenedFrom(graph: Graph, node: NodeProto): number {
  const axis = intAttr(node, 'axis', 1);
  return axis < 0 ? axis + valueOf(graph, node.input[0] ?? '').shape.length : axis;
}

function softmaxOverTail(node: NodeProto, b: GraphBuilder): Value {
  const x = valueOf(b.graph, node.input[0] ?? '');
  const axis = flattenedFrom(b.graph, node);
  const rows = b.reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]);
  return b.reshape(b.op(node.opType, [rows], { axis: -1 }), x.shape);
}

/** Statistics, scale and bias for every place of a channel. */
function normalizedByPlace(node: NodeProto, b: GraphBuilder): Value {
  const [x, scale, bias, mean, variance] = node.input.map((name) => valueOf(b.graph, name)) as [
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  const epsilon = b.scalar(floatAttr(node, 'epsilon', 1e-5), variance);
  const deviation = b.op('Sqrt', [b.add(variance, epsilon)]);
  return b.add(b.mul(b.div(b.sub(x, mean), deviation), scale), bias);
}
