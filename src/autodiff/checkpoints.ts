/**
 * Which values of a forward pass are kept, where everything else is computed again: those that cross
 * the borders of segments, √n of n layers in the simplest chain (Chen et al. 2016, "Training Deep Nets
 * with Sublinear Memory Cost"). A segment's other values are alive only while it is differentiated.
 */
import type { NodeProto } from 'onnx-buf';
import { reads } from '../onnx/graph.ts';

/**
 * @param forward nodes in order
 * @param sizes elements of each value that is worth a second computation
 * @param wanted those that the backward pass reads and that are costly
 * @param segments how many to cut the forward pass into, of about equally many wanted elements
 */
export function checkpoints(
  forward: readonly NodeProto[],
  sizes: ReadonlyMap<string, number>,
  wanted: ReadonlySet<string>,
  segments: number,
): Set<string> {
  const made = new Map<string, number>();
  const used = new Map<string, number>();
  forward.forEach((node, i) => {
    for (const name of reads(node)) used.set(name, i);
    for (const name of node.output) if (sizes.has(name)) made.set(name, i);
  });
  const volume = (names: readonly string[]): number =>
    names.reduce((n, name) => n + (sizes.get(name) ?? 0), 0);
  const wantedOf = (nodes: readonly NodeProto[]): string[] =>
    nodes.flatMap((n) => n.output.filter((o) => wanted.has(o)));
  /** Values made before node `p` and read by it or later. */
  const crossing = (p: number): string[] =>
    [...made].filter(([name, i]) => i < p && (used.get(name) ?? -1) >= p).map(([name]) => name);

  /** Elements wanted of the nodes before each. */
  const before = [0];
  for (const node of forward) before.push((before.at(-1) as number) + volume(wantedOf([node])));
  const spacing = (before.at(-1) as number) / segments;
  const borders: number[] = [];
  for (let i = 1; i < segments; i++) {
    const near = forward.flatMap((_, p) =>
      Math.abs((before[p] as number) - i * spacing) <= spacing / 2 ? [p] : [],
    );
    const widths = near.map((p) => volume(crossing(p)));
    const narrowest = near[widths.indexOf(Math.min(...widths))];
    if (narrowest !== undefined) borders.push(narrowest);
  }
  // The last segment is differentiated first, while its values are there.
  const last = wantedOf(forward.slice(borders.at(-1) ?? 0));
  return new Set([...borders.flatMap(crossing), ...last]);
}
