/** Makes a graph smaller without changing what it computes. */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { amend } from '../onnx/amend.ts';
import { reads, type Graph } from '../onnx/graph.ts';
import { alias } from './rewrites.ts';

/** Aliases replaced by what they stand for, then dead nodes and constants dropped. */
export function simplify(graph: Graph): Graph {
  const captured = graph.nodes.flatMap((n) => reads(n).slice(n.input.length));
  const outputs = new Set([...graph.outputs.map((o) => o.name), ...captured]);
  const standsFor = new Map<string, string>();
  const nodes: NodeProto[] = [];
  for (const node of graph.nodes) {
    const input = node.input.map((name) => standsFor.get(name) ?? name);
    const current = amend(NodeProtoSchema, node, { input });
    const same = alias(graph, current);
    const out = current.output[0] ?? '';
    if (same !== undefined && !outputs.has(out)) standsFor.set(out, same);
    else nodes.push(current);
  }
  return dropDead({ ...graph, nodes });
}

/** Without the nodes, constants and types that no output depends on. */
export function dropDead(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map((o) => o.name));
  const nodes: NodeProto[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.output.some((name) => needed.has(name))) continue;
    nodes.push(node);
    for (const name of reads(node)) needed.add(name);
  }
  nodes.reverse();
  for (const { name } of graph.inputs) needed.add(name);
  for (const node of nodes) for (const name of node.output) needed.add(name);
  const kept = <T>(map: Map<string, T>): Map<string, T> =>
    new Map([...map].filter(([name]) => needed.has(name)));
  return { ...graph, nodes, initializers: kept(graph.initializers), values: kept(graph.values) };
}
