/** Law cases of operators that pick elements by index. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { GraphBuilder } from '../../../src/onnx/builder.ts';
import type { Value } from '../../../src/onnx/graph.ts';
import { sizeOf } from '../../../src/tensor/tensor.ts';
import type { LawCase } from '../law.ts';
import { apart, onX } from './case.ts';

const at =
  (indices: number | number[], shape?: number[]) =>
  (b: GraphBuilder): Value[] => [b.constant(indices, 'int64', shape)];

const gather = (
  name: string,
  shape: number[],
  axis: number,
  rest: (b: GraphBuilder) => Value[],
): LawCase => onX('Gather', name, shape, { attributes: { axis }, rest });

const topK = (name: string, shape: number[], k: number, attributes: Attributes = {}): LawCase => ({
  name,
  operator: 'TopK',
  inputs: { x: { shape, values: apart(sizeOf(shape)) } },
  build: (b, { x }) => b.ops('TopK', [x, b.ints([k])], attributes, 2)[0] as Value,
});

export const indexing: LawCase[] = [
  gather('scalar', [3, 4], 0, at(1)),
  gather('scalar, inner axis, negative', [2, 3, 2], 1, at(-1)),
  gather('run', [2, 5], 1, at([1, 2, 3])),
  gather('repeated', [4, 3], 0, at([2, 0, 2, 3])),
  gather('negative', [4, 3], 0, at([-1, 1, -3])),
  gather('inner axis', [2, 4, 3], 1, at([3, 0, 0])),
  gather('last axis, matrix of indices', [2, 4], -1, at([0, 3, 1, 1], [2, 2])),
  gather('int32', [4, 2], 0, (b) => [b.constant([3, 1], 'int32')]),
  {
    name: 'computed indices, some negative',
    operator: 'Gather',
    inputs: { x: { shape: [4, 3], values: apart(12) } },
    build: (b, { x }) => {
      const largest = b.op('ArgMax', [x], { axis: 1, keepdims: 0 });
      return b.op('Gather', [x, b.sub(largest, b.ints(2))]);
    },
  },
  onX('GatherElements', 'rows', [3, 2], { rest: at([0, 2, 2, 1, 0, 0, 0, 1], [4, 2]) }),
  onX('GatherElements', 'columns, negative', [2, 4], {
    rest: at([-1, 1, 1, 0, 0, 2], [2, 3]),
    attributes: { axis: -1 },
  }),
  onX('GatherND', 'rows', [3, 4], { rest: at([2, 0, 2], [3, 1]) }),
  onX('GatherND', 'elements, negative', [3, 4], { rest: at([-1, 0, 1, 2], [2, 2]) }),
  onX('GatherND', 'one batch axis', [2, 3, 4], {
    rest: at([2, 0], [2, 1]),
    attributes: { batch_dims: 1 },
  }),
  onX('GatherND', 'one batch axis, many tuples', [2, 3, 4], {
    rest: at([2, 0, 1, 3, 0, 0, 0, 0, 2, 2, 1, 1], [2, 3, 2]),
    attributes: { batch_dims: 1 },
  }),
  onX('GatherND', 'two batch axes', [2, 3, 4, 2], {
    rest: at([2, 0, 1, 3, 0, 0], [2, 3, 1]),
    attributes: { batch_dims: 2 },
  }),
  topK('largest', [3, 5], 2),
  topK('smallest, first axis', [4, 3], 3, { axis: 0, largest: 0 }),
];
