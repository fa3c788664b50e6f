/** How much arithmetic a graph is, from the shapes of its matrix products and convolutions. */
import type { NodeProto } from 'onnx-buf';
import { bodiesOf, repeats } from './bodies.ts';
import { dtypes } from './dtype.ts';
import { einsumTerms } from './einsum.ts';
import type { Graph } from './graph.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { stringAttr } from './attributes.ts';

type Shape = readonly number[];
type Count = (inputs: readonly Shape[], output: Shape, node: NodeProto) => number;

/** Multiplications and additions; every other operator moves memory rather than computes. */
const counts: Readonly<Record<string, Count>> = {
  Conv: ([, w = []], y) => convolution(w, y),
  ConvInteger: ([, w = []], y) => convolution(w, y),
  QLinearConv: ([, , , w = []], y) => convolution(w, y),
  // Every input is spread over a window; the kernel is [in, out/group, ...].
  ConvTranspose: ([x = [], w = []]) => 2 * sizeOf(x) * sizeOf(w.slice(1)),
  MatMul: product,
  MatMulInteger: product,
  QLinearMatMul: product,
  Gemm: ([a = []], y) => (2 * sizeOf(y) * sizeOf(a)) / (y[0] ?? 1),
  Einsum: (inputs, _, node) => 2 * lettersSize(inputs, stringAttr(node, 'equation', '')),
  // Q Kᵀ and P V. With heads folded into channels, [N,L,C], channels hold all of them.
  Attention: ([q = [], k = []]) => 4 * sizeOf(q) * (k.at(-2) ?? 1),
};

/** Every output takes a window of input channels a group; the kernel is [out, in/group, ...]. */
function convolution(kernel: Shape, y: Shape): number {
  return 2 * sizeOf(y) * sizeOf(kernel.slice(1));
}

function product([a = []]: readonly Shape[], y: Shape): number {
  return 2 * sizeOf(y) * (a.at(-1) ?? 1);
}

/** Floating-point operations of one run; 2 a multiply-add. */
export function flopsOf(graph: Graph): number {
  return total(graph, (node, within) => nodeFlops(within, node) ?? 0);
}

/** Bytes read and written by the nodes that only move memory, each by itself. */
export function bytesMoved(graph: Graph): number {
  return total(graph, (node, within) => {
    if (nodeFlops(within, node) !== undefined || node.opType === 'Reshape') return 0;
    return [...node.input, ...node.output].reduce((n, name) => {
      const value = within.values.get(name);
      return n + (value ? sizeOf(value.shape) * dtypes[value.dtype].bytes : 0);
    }, 0);
  });
}

/** A sum over a graph's nodes, those of bodies as often as they run. */
function total(graph: Graph, count: (node: NodeProto, within: Graph) => number): number {
  return graph.nodes.reduce((n, node) => {
    const bodies = bodiesOf(graph, node);
    if (bodies.length === 0) return n + count(node, graph);
    return n + repeats(graph, node) * bodies.reduce((m, body) => m + total(body, count), 0);
  }, 0);
}

function nodeFlops(graph: Graph, node: NodeProto): number | undefined {
  const shape = (name: string | undefined): Shape => graph.values.get(name ?? '')?.shape ?? [];
  return counts[node.opType]?.(node.input.map(shape), shape(node.output[0]), node);
}

function lettersSize(inputs: readonly Shape[], equation: string): number {
  const ranks = inputs.map((shape) => shape.length);
  const sizes = new Map<string, number>();
  einsumTerms(equation, ranks).operands.forEach((term, i) =>
    [...term].forEach((letter, axis) => sizes.set(letter, inputs[i]?.[axis] ?? 1)),
  );
  return sizeOf([...sizes.values()]);
}
