/** What importing a checkpoint gives, whatever its family. */
import type { CardFile } from '../card/card.ts';
import type { Graph } from '../onnx/graph.ts';

export interface Imported {
  readonly graph: Graph;
  /** Dimensions to be left open, by input or output. */
  readonly open: Readonly<Record<string, readonly (number | string)[]>>;
  readonly card: CardFile;
  /** What the checkpoint does not say and was inferred, a line each. */
  readonly inferred: readonly string[];
}

/** The shapes of a graph's inputs and outputs with their first axis named `batch`. */
export function batchOf({ inputs, outputs }: Graph): Imported['open'] {
  return Object.fromEntries(
    [...inputs, ...outputs].map(({ name, shape }) => [name, ['batch', ...shape.slice(1)]]),
  );
}
