/** How much memory a graph takes: its constants, and its values while it runs. */
import { bodiesOf } from './bodies.ts';
import type { Graph } from './graph.ts';
import { byteLength } from './initializer.ts';

/** Bytes of all constants. */
export function constantBytes({ initializers }: Pick<Graph, 'initializers'>): number {
  return [...initializers.values()].reduce((n, t) => n + byteLength(t), 0);
}

/** The most bytes of computed values that are alive at once, if each dies with its last use. */
export function peakBytes(graph: Graph): number {
  const lastUse = new Map<string, number>();
  graph.nodes.forEach((node, i) => node.input.forEach((name) => lastUse.set(name, i)));
  for (const { name } of graph.outputs) lastUse.set(name, graph.nodes.length);
  const bytes = (name: string): number => {
    const value = graph.values.get(name);
    return value && !graph.initializers.has(name) ? byteLength(value) : 0;
  };
  let alive = graph.inputs.reduce((n, { name }) => n + bytes(name), 0);
  let peak = alive;
  graph.nodes.forEach((node, i) => {
    for (const name of node.output) alive += bytes(name);
    const inside = bodiesOf(graph, node).map(peakBytes);
    peak = Math.max(peak, alive + Math.max(0, ...inside));
    const dying = new Set([...node.input, ...node.output]);
    for (const name of dying) if ((lastUse.get(name) ?? i) === i) alive -= bytes(name);
  });
  return peak;
}
