/** Law cases of what the driver does: fan-out, paths that meet again, outputs that nobody uses. */
import type { GraphBuilder } from '../../../src/onnx/builder.ts';
import type { Value } from '../../../src/onnx/graph.ts';
import type { LawCase } from '../law.ts';

const onSquare = (
  operator: string,
  name: string,
  build: (b: GraphBuilder, x: Value) => Value,
): LawCase => ({
  name,
  operator,
  inputs: { x: { shape: [2, 4] } },
  build: (b, { x }) => build(b, x as Value),
});

export const graphs: LawCase[] = [
  onSquare('Mul', 'one value in both slots', (b, x) => b.mul(x, x)),
  onSquare('Sub', 'one value in both slots, once broadcast', (b, x) =>
    b.sub(b.mul(x, x), b.op('ReduceMax', [x], { axes: [1] })),
  ),
  onSquare('Sigmoid', 'diamond', (b, x) => {
    const s = b.op('Sigmoid', [x]);
    return b.add(b.op('Sin', [s]), b.mul(s, b.op('Exp', [s])));
  }),
  onSquare('Add', 'the input also skips ahead', (b, x) =>
    b.add(x, b.op('Tanh', [b.matMul(x, b.constant([1, 2, -1, 3], 'float32', [4, 1]))])),
  ),
  onSquare('Split', 'an output that nothing uses', (b, x) => {
    const [head, , tail] = b.ops('Split', [x, b.ints([1, 2, 1])], { axis: 1 }, 3);
    return b.mul(head as Value, b.op('Exp', [tail as Value]));
  }),
  onSquare('Split', 'the same output twice', (b, x) => {
    const [head] = b.ops('Split', [x, b.ints([3, 1])], { axis: -1 }, 2);
    return b.mul(head as Value, head as Value);
  }),
  onSquare('Where', 'a condition computed from the input', (b, x) => {
    const condition = b.op('Greater', [b.op('Exp', [x]), b.constant(0)]);
    return b.op('Where', [condition, b.op('Sin', [x]), x]);
  }),
  onSquare('Mul', 'a factor rounded from the input', (b, x) =>
    b.mul(x, b.op('Floor', [b.add(b.scale(x, 1 / 4), b.constant(3.5))])),
  ),
  {
    name: 'with respect to one of two inputs',
    operator: 'Mul',
    inputs: { x: { shape: [2, 3] }, w: { shape: [3] } },
    wrt: ['w'],
    build: (b, { x, w }) => b.op('Exp', [b.op('Mul', [x, w])]),
  },
];
