/** How often a network halves its image, read off its nodes. */
import { AttributeProto_AttributeType as Kind, type NodeProto } from 'onnx-buf';
import { intAttr, intsAttr } from '../onnx/attributes.ts';

/** By how much each of these shrinks height and width; undefined where the node does not say. */
const shrinking: Readonly<Record<string, (node: NodeProto) => number | undefined>> = {
  Conv: stride,
  AveragePool: stride,
  MaxPool: stride,
  LpPool: stride,
  SpaceToDepth: (node) => intAttr(node, 'blocksize'),
};

/**
 * The product of the down-sampling factors along the deepest way from `x`: what height and width
 * have to be multiples of, for every level to be a whole number of pixels. Up-sampling on the way
 * undoes it; where a Resize does not say by how much, it undoes one step.
 * @returns undefined where nodes are hidden in functions or subgraphs
 */
export function downsampling(nodes: readonly NodeProto[], x: string): number | undefined {
  if (nodes.some((n) => n.domain !== '')) return undefined;
  const factors = new Map<string, { factor: number; steps: readonly number[] }>();
  factors.set(x, { factor: 1, steps: [] });
  let deepest = 1;
  for (const node of nodes) {
    const reached = node.input.flatMap((name) => factors.get(name) ?? []);
    if (reached.length === 0) continue;
    if (node.attribute.some((a) => a.type === Kind.GRAPH)) return undefined;
    if (sizes.has(node.opType)) continue;
    const from = reached.reduce((a, b) => (b.factor > a.factor ? b : a));
    const to = after(node, from);
    deepest = Math.max(deepest, to.factor);
    for (const name of node.output) factors.set(name, to);
  }
  return deepest;
}

interface Depth {
  readonly factor: number;
  /** What was undone by the last up-sampling first. */
  readonly steps: readonly number[];
}

/** Their outputs are numbers about an image, not images. */
const sizes = new Set(['Shape', 'Size']);

function after(node: NodeProto, { factor, steps }: Depth): Depth {
  const down = shrinking[node.opType]?.(node) ?? 1;
  if (down > 1) return { factor: factor * down, steps: [...steps, down] };
  const grows = ['Resize', 'Upsample', 'ConvTranspose', 'DepthToSpace'].includes(node.opType);
  if (!grows || (node.opType === 'ConvTranspose' && stride(node) === 1)) return { factor, steps };
  return { factor: factor / (steps.at(-1) ?? 1), steps: steps.slice(0, -1) };
}

/** The larger of the strides; a window without strides takes every place. */
function stride(node: NodeProto): number {
  return Math.max(1, ...(intsAttr(node, 'strides') ?? []));
}
