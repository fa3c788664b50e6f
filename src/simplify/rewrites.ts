/** Nodes that only repeat one of their inputs. Each row ends in the identity it applies. */
import { sizeOf, sameShape } from '../tensor/tensor.ts';
import { intsAttr } from '../onnx/attributes.ts';
import { numbers } from '../onnx/initializer.ts';
import type { Graph } from '../onnx/graph.ts';
import type { NodeProto } from 'onnx-buf';

/** The input that the node's output equals, or undefined. */
type Row = (graph: Graph, node: NodeProto) => string | undefined;

const first: Row = (_, node) => node.input[0];

/** `first` if input and output have the same type, which for these operators says it all. */
const ifSameType: Row = (graph, node) => {
  const from = graph.values.get(node.input[0] ?? '');
  const to = graph.values.get(node.output[0] ?? '');
  const same = from && to && from.dtype === to.dtype && sameShape(from.shape, to.shape);
  return same ? node.input[0] : undefined;
};

/** The other operand of a binary operation, if one is that number and does not enlarge the result. */
function neutral(number: number, slots: readonly number[]): Row {
  return (graph, node) => {
    for (const slot of slots) {
      const constant = graph.initializers.get(node.input[slot] ?? '');
      if (!constant || sizeOf(constant.shape) !== 1 || numbers(constant)[0] !== number) continue;
      const other = node.input[1 - slot] ?? '';
      const shape = graph.values.get(other)?.shape;
      const out = graph.values.get(node.output[0] ?? '')?.shape;
      if (shape && out && sameShape(shape, out)) return other;
    }
    return undefined;
  };
}

const rewrites: Readonly<Record<string, Row>> = {
  Identity: first, // Identity(x) = x
  Cast: ifSameType, // Cast(x, type of x) = x
  Reshape: ifSameType, // Reshape(x, shape of x) = x
  Expand: ifSameType, // Expand(x, shape of x) = x
  Transpose: (graph, node) =>
    intsAttr(node, 'perm')?.every((p, i) => p === i) ? first(graph, node) : undefined, // xᵀ, axes in order = x
  Add: neutral(0, [0, 1]), // x + 0 = x
  Sub: neutral(0, [1]), // x − 0 = x
  Mul: neutral(1, [0, 1]), // 1 x = x
  Div: neutral(1, [1]), // x / 1 = x
};

export function alias(graph: Graph, node: NodeProto): string | undefined {
  return node.domain === '' ? rewrites[node.opType]?.(graph, node) : undefined;
}
