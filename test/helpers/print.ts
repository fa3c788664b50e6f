/** Graphs as text, a node a line, for snapshots that can be read. */
import type { NodeProto } from 'onnx-buf';
import { plainAttributes } from '../../src/onnx/attributes.ts';
import { valueOf, type Graph } from '../../src/onnx/graph.ts';
import { numbers } from '../../src/onnx/initializer.ts';
import { showShape, sizeOf } from '../../src/tensor/tensor.ts';

/** Constants above this many elements are shown by name. */
const shownElements = 8;

export function printGraph(graph: Graph): string {
  const typed = (name: string): string => {
    const { dtype, shape } = valueOf(graph, name);
    return `${name} ${dtype}${showShape(shape)}`;
  };
  const operand = (name: string): string => {
    const constant = graph.initializers.get(name);
    if (!constant || sizeOf(constant.shape) > shownElements) return name || '-';
    const list = numbers(constant);
    return constant.shape.length === 0 ? String(list[0]) : `[${list.join(' ')}]`;
  };
  const line = (node: NodeProto): string => {
    const attributes = Object.entries(plainAttributes(node));
    const shown = attributes.map(([name, v]) => ` ${name}=${String(v)}`).join('');
    const outputs = node.output.filter(Boolean).map(typed).join(', ');
    return `${outputs} = ${node.opType}(${node.input.map(operand).join(', ')})${shown}`;
  };
  return [
    `in ${graph.inputs.map((v) => typed(v.name)).join(', ')}`,
    ...graph.nodes.map(line),
    `out ${graph.outputs.map((v) => v.name).join(', ')}`,
  ].join('\n');
}
