/** The builder's types, and what it refuses where the node is written. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Value } from '../../src/onnx/graph.ts';

const make = (build: (b: GraphBuilder, input: (...shape: number[]) => Value) => unknown) => () => {
  const b = new GraphBuilder();
  b.scope = '/net';
  let count = 0;
  return build(b, (...shape) => b.input(`x${count++}`, 'float32', shape));
};

describe('refusals', () => {
  test.each<[string, () => unknown]>([
    ['/net/Add of [2,3] [4]: shapes', make((b, x) => b.add(x(2, 3), x(4)))],
    ['/net/MatMul of [2,3] [4,5]: [2,3] times', make((b, x) => b.matMul(x(2, 3), x(4, 5)))],
    [
      '/net/Gemm of [2,3] [4,3]: 3 columns times 4 rows',
      make((b, x) => b.op('Gemm', [x(2, 3), x(4, 3)])),
    ],
    [
      '/net/Conv of [1,3,8,8] [4,2,3,3]',
      make((b, x) => b.op('Conv', [x(1, 3, 8, 8), x(4, 2, 3, 3)])),
    ],
    [
      '/net/Reshape of [2,3] [1]: cannot reshape [2,3] to [5]',
      make((b, x) => b.reshape(x(2, 3), [5])),
    ],
    [
      '/net/ReduceMean of [2,3]: axis 2 of a tensor of rank 2',
      make((b, x) => b.reduce('Mean', x(2, 3), [2])),
    ],
    ['/net/Mul of [2] -: input 1 is missing', make((b, x) => b.op('Mul', [x(2), undefined]))],
    [
      '/net/Expand of [1] [2]: input 1 (x1) is not a constant',
      make((b, x) => b.op('Expand', [x(1), b.input('x1', 'int64', [2])])),
    ],
    ['no shape rule for operator Frobnicate', make((b, x) => b.op('Frobnicate', [x(1)]))],
    [
      "two values are named 'x'",
      make((b) => [b.input('x', 'float32', []), b.input('x', 'int64', [])]),
    ],
  ])('%s', (message, build) => expect(build).toThrow(message));
});

test('equal small constants are one', () => {
  const b = new GraphBuilder();
  expect(b.ints([1, 2])).toBe(b.ints([1, 2]));
  expect(b.ints([1])).not.toBe(b.ints(1));
  expect(b.constant(1)).not.toBe(b.constant(1, 'int64'));
  expect(b.graph.initializers.size).toBe(4);
});

test('names follow the scope and never repeat', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2]);
  b.scope = '/a';
  const names = [b.neg(x), b.neg(x), ...b.split(x, [1, 1], 0)].map((v) => v.name);
  expect(names).toEqual(['/a/Neg:0', '/a/Neg_1:0', '/a/Split:0', '/a/Split:1']);
});

test('operations that change nothing write no node', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2, 3]);
  const same = [b.reshape(x, [2, 3]), b.expand(x, [2, 3]), b.transpose(x, [0, 1]), b.scale(x, 1)];
  expect([...same, b.cast(x, 'float32'), ...b.split(x, [3], 1)].every((v) => v === x)).toBe(true);
  expect(b.graph.nodes).toEqual([]);
});

test('reductions take their axes as the operator set wants them', () => {
  const inputs = [17, 18].map((opset) => {
    const b = new GraphBuilder({ ...new GraphBuilder().graph, opset });
    b.reduce('Mean', b.input('x', 'float32', [2, 3]), [1]);
    return b.graph.nodes[0]?.input.length;
  });
  expect(inputs).toEqual([1, 2]);
});
