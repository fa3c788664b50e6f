/** Two affine maps in a row, as a UNet's normalizations and their modulation are, written as one. */
import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from '../onnx/builder.ts';
import { producers, useCounts, valueOf, type Value } from '../onnx/graph.ts';
import { sizeOf } from '../tensor/tensor.ts';

/** A coefficient has at most this share of the elements of what it multiplies. */
const smallest = 1 / 16;

interface Step {
  readonly from: string;
  readonly by: string;
}

/**
 * Rewrites (x a + b) c + d, with coefficients that are small beside x, as x (a c) + (b c + d): two
 * passes over x less in the forward pass, and one less in the backward pass.
 * @param pinned values that stay, since gradients begin or end at them
 */
export function mergeAffine(b: GraphBuilder, pinned: ReadonlySet<string>): void {
  const { graph } = b;
  const maker = producers(graph);
  const uses = useCounts(graph, pinned);

  /** `type(x, small)` as a step from x, in either order of its operands. */
  const step = (node: NodeProto | undefined, type: string): Step | undefined => {
    if (node?.opType !== type || node.domain !== '') return undefined;
    const [first = '', second = ''] = node.input;
    const size = sizeOf(valueOf(graph, node.output[0] ?? '').shape);
    for (const [from, by] of [
      [first, second],
      [second, first],
    ] as const) {
      const whole = sizeOf(valueOf(graph, from).shape) === size;
      if (whole && sizeOf(valueOf(graph, by).shape) <= size * smallest) return { from, by };
    }
    return undefined;
  };
  const before = ({ from }: Step, type: string): Step | undefined =>
    uses.get(from) === 1 ? step(maker.get(from), type) : undefined;

  const old = graph.nodes.splice(0);
  const outer = b.scope;
  for (const node of old) {
    const last = step(node, 'Add');
    const third = last && before(last, 'Mul');
    const second = third && before(third, 'Add');
    const first = second && before(second, 'Mul');
    if (!first) {
      graph.nodes.push(node);
      continue;
    }
    const v = (name: string): Value => valueOf(graph, name);
    const out = v(node.output[0] ?? '');
    b.scope = node.name || out.name;
    const scale = b.mul(v(first.by), v(third.by));
    const shift = b.add(b.mul(v(second.by), v(third.by)), v(last.by));
    const merged = b.add(b.mul(v(first.from), scale), shift);
    b.replace(out.name, merged);
  }
  b.scope = outer;
}
