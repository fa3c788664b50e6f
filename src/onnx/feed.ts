/** Makes inputs of a graph constant. */
import { UserError } from '../errors.ts';
import { showShape, sizeOf } from '../tensor/tensor.ts';
import type { Graph } from './graph.ts';
import { initializerFrom } from './initializer.ts';
import { typedArray } from './typed-array.ts';

/**
 * The graph with some inputs fed for good: a number throughout, or a list that is repeated, as the
 * values of one image are for every image of a batch.
 * @throws UserError for a list that does not divide its input's size
 */
export function feedConstants(
  graph: Graph,
  feeds: Readonly<Record<string, number | readonly number[]>>,
): Graph {
  const initializers = new Map(graph.initializers);
  const inputs = graph.inputs.filter(({ name, dtype, shape }) => {
    const given = feeds[name];
    if (given === undefined) return true;
    const list = typeof given === 'number' ? [given] : given;
    const size = sizeOf(shape);
    if (size % list.length !== 0)
      throw new UserError(
        `${graph.name}: input '${name}' ${showShape(shape)} cannot be filled with ${list.length} values`,
      );
    const values = Array.from({ length: size }, (_, i) => list[i % list.length] as number);
    initializers.set(name, initializerFrom(dtype, shape, typedArray(values, dtype)));
    return false;
  });
  return { ...graph, inputs, initializers };
}
