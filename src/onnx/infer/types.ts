/** What the nodes of a graph put out, by the rules of all operators that builders emit. */
import { showShape } from '../../tensor/tensor.ts';
import type { Attributes } from '../attributes.ts';
import { constantNumbers, type Graph, type Value } from '../graph.ts';
import { attention } from './attention.ts';
import { elementwise } from './elementwise.ts';
import type { Infer, TensorType } from './infer.ts';
import { linear } from './linear.ts';
import { movement } from './movement.ts';
import { quantization } from './quantization.ts';
import { reduction } from './reduction.ts';

const inference: Record<string, Infer> = {
  ...elementwise,
  ...movement,
  ...reduction,
  ...linear,
  ...attention,
  ...quantization,
};

/** A node that is to be, and what messages call it. */
export interface NodeToBe {
  readonly type: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  /** How many outputs are wanted. */
  readonly outputs: number;
  readonly name: string;
}

/**
 * Types of the outputs of a node of a graph.
 * @throws Error for an operator without a rule, or where its rule is broken
 */
export function inferTypes(
  graph: Graph,
  { type, inputs, attributes, outputs, name }: NodeToBe,
): readonly TensorType[] {
  const infer = inference[type];
  if (!infer) throw new Error(`builder: no shape rule for operator ${type}`);
  const constant = (slot: number): number[] | undefined => {
    const input = inputs[slot];
    if (!input) return undefined;
    const numbers = constantNumbers(graph, input.name);
    if (!numbers) throw new RangeError(`input ${slot} (${input.name}) is not a constant`);
    return numbers;
  };
  try {
    return infer({ inputs, attributes, outputs, opset: graph.opset, constant });
  } catch (cause) {
    const shapes = inputs.map((v) => (v ? showShape(v.shape) : '-')).join(' ');
    throw new Error(`builder: ${name} of ${shapes}: ${(cause as Error).message}`, { cause });
  }
}
