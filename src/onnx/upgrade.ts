/** Brings a typed graph of an old operator set to the oldest one that gradients are written in. */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { amend } from './amend.ts';
import { hasAttr, intAttr, intsAttr } from './attributes.ts';
import { defaultOpset, GraphBuilder } from './builder.ts';
import { valueOf, type Graph, type Value } from './graph.ts';

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
 * axes as inputs are then there for gradients; nothing else changed its meaning in between.
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
    if (graph.opset >= 13) b.graph.nodes.push(node);
    else if (movedAxes[node.opType]) b.graph.nodes.push(withAxesInput(node, b));
    else if (['Softmax', 'LogSoftmax', 'Hardmax'].includes(node.opType)) softmaxOverTail(node, b);
    else b.graph.nodes.push(node);
  }
  return b.graph;
}

function withAxesInput(node: NodeProto, b: GraphBuilder): NodeProto {
  const name = movedAxes[node.opType] as string;
  const axes = intsAttr(node, name);
  if (!axes) return node;
  return amend(NodeProtoSchema, node, {
    input: [node.input[0] ?? '', b.ints(axes).name],
    attribute: node.attribute.filter((a) => a.name !== name),
  });
}

/** Before opset 13 the axis said where to flatten to a matrix, whose rows were normalized. */
function softmaxOverTail(node: NodeProto, b: GraphBuilder): void {
  const x = valueOf(b.graph, node.input[0] ?? '');
  const rank = x.shape.length;
  const named = hasAttr(node, 'axis') ? intAttr(node, 'axis', 1) : 1;
  const axis = named < 0 ? named + rank : named;
  if (axis === rank - 1) {
    const attribute = node.attribute.filter((a) => a.name !== 'axis');
    b.graph.nodes.push(amend(NodeProtoSchema, node, { attribute }));
    return;
  }
  b.scope = node.name;
  const rows = b.reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]);
  const normal = b.op(node.opType, [rows], { axis: -1 });
  const out = b.graph.values.get(node.output[0] ?? '') as Value;
  b.graph.values.delete(out.name);
  b.rename(b.reshape(normal, x.shape), out.name);
  b.scope = '';
}
