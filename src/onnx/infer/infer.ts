/** What the builder asks of the table of output types. */
import type { Attributes } from '../attributes.ts';
import type { DType } from '../dtype.ts';
import type { Value } from '../graph.ts';

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface InferContext {
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  /** How many outputs the node is to have. */
  readonly outputs: number;
  readonly opset: number;
  /** The numbers of a constant input; undefined where it is absent. @throws if it is computed */
  readonly constant: (slot: number) => number[] | undefined;
}

export type Infer = (c: InferContext) => readonly TensorType[];

/** The input of a slot that the operator cannot do without. */
export function need(c: InferContext, slot: number): Value {
  const input = c.inputs[slot];
  if (!input) throw new RangeError(`input ${slot} is missing`);
  return input;
}

export function intOf(c: InferContext, name: string, otherwise: number): number {
  const v = c.attributes[name];
  return typeof v === 'number' ? v : otherwise;
}

export function intsOf(c: InferContext, name: string): readonly number[] | undefined {
  const v = c.attributes[name];
  const numeric = Array.isArray(v) && v.every((n) => typeof n === 'number');
  return numeric ? v : undefined;
}

export function stringOf(c: InferContext, name: string, otherwise: string): string {
  const v = c.attributes[name];
  return typeof v === 'string' ? v : otherwise;
}

/** A non-negative axis of a tensor of that rank. */
export function axisOf(axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  if (a < 0 || a >= rank) throw new RangeError(`axis ${axis} of a tensor of rank ${rank}`);
  return a;
}

/** The shape that numpy's rule gives to an elementwise operation. */
export function broadcast(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let dim = 1;
    for (const s of shapes) {
      const d = s[i - rank + s.length] ?? 1;
      if (d === dim || d === 1) continue;
      if (dim !== 1)
        throw new RangeError(`shapes ${shapes.map((x) => `[${x.join(',')}]`).join(' and ')}`);
      dim = d;
    }
    return dim;
  });
}
