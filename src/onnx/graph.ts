/** A graph whose every value has a known element type and static shape. */
import type { NodeProto } from 'onnx-buf';
import { numbers, type Initializer } from './initializer.ts';
import type { DType } from './dtype.ts';

/** A named tensor of a graph. */
export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Nodes are in topological order; a value's name is unique; '' stands for an absent optional input. */
export interface Graph {
  readonly name: string;
  /** Version of the ai.onnx operator set; other domains do not occur in a resolved graph. */
  readonly opset: number;
  readonly inputs: Value[];
  readonly outputs: Value[];
  readonly nodes: NodeProto[];
  readonly initializers: Map<string, Initializer>;
  /** Every value: inputs, initializers and what nodes put out. */
  readonly values: Map<string, Value>;
}

/** The operator set of graphs built from nothing: the newest that every provider's kernels match. */
export const defaultOpset = 17;

export function emptyGraph(name: string, opset: number): Graph {
  return {
    name,
    opset,
    inputs: [],
    outputs: [],
    nodes: [],
    initializers: new Map(),
    values: new Map(),
  };
}

/** @throws Error if the graph has no value of that name: a defect of the caller. */
export function valueOf(graph: Graph, name: string): Value {
  const value = graph.values.get(name);
  if (!value) throw new Error(`graph ${graph.name}: no value named '${name}'`);
  return value;
}

/** The numbers of a constant, or undefined where the value is computed or absent. */
export function constantNumbers(graph: Graph, name: string | undefined): number[] | undefined {
  const constant = name ? graph.initializers.get(name) : undefined;
  return constant && numbers(constant);
}

/** Every name that a node reads: its inputs, and what the bodies of If, Loop and Scan capture. */
export function reads(node: NodeProto): string[] {
  const bodies = node.attribute.flatMap((a) => [...(a.g ? [a.g] : []), ...a.graphs]);
  if (bodies.length === 0) return node.input;
  const captured = bodies.flatMap(({ node: nodes, input, initializer, output }) => {
    const own = new Set([
      ...input.map((i) => i.name),
      ...initializer.map((t) => t.name),
      ...nodes.flatMap((n) => n.output),
    ]);
    const used = [...nodes.flatMap(reads), ...output.map((o) => o.name)];
    return used.filter((name) => !own.has(name));
  });
  return [...node.input, ...captured];
}

/**
 * How often each value is read, by nodes, by their bodies and as an output of the graph.
 * @param wanted values that are read once more, from outside
 */
export function useCounts(
  { nodes, outputs }: Graph,
  wanted: Iterable<string> = [],
): Map<string, number> {
  const uses = new Map<string, number>();
  for (const name of [...nodes.flatMap(reads), ...outputs.map((o) => o.name), ...wanted])
    uses.set(name, (uses.get(name) ?? 0) + 1);
  return uses;
}

export function producers(graph: Graph): Map<string, NodeProto> {
  const map = new Map<string, NodeProto>();
  for (const node of graph.nodes) for (const out of node.output) if (out) map.set(out, node);
  return map;
}

/** `wanted`, or the first of `wanted_1`, `wanted_2`, … that is not taken. */
export function freeName(taken: ReadonlyMap<string, unknown>, wanted: string): string {
  let name = wanted;
  for (let i = 1; taken.has(name); i++) name = `${wanted}_${i}`;
  return name;
}
