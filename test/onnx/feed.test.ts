/** Inputs made constant, as a card's conditioning is. */
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { feedConstants } from '../../src/onnx/feed.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { runGraph } from '../helpers/run.ts';

function graph() {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2, 3]);
  const label = b.input('y', 'int64', [2, 1]);
  const embedding = b.input('c', 'float32', [2, 3]);
  b.output(b.add(b.mul(x, b.cast(label, 'float32')), embedding), 'out');
  return b.graph;
}

test('a number fills an input, a list is repeated for every image', async () => {
  const fed = feedConstants(graph(), { y: 7, c: [1, 2, 3] });
  expect(fed.inputs.map((i) => i.name)).toEqual(['x']);
  const out = await runGraph(fed, { x: tensor([2, 3], Float32Array.of(1, 1, 1, 2, 2, 2)) });
  expect([...(out['out']?.data ?? [])]).toEqual([8, 9, 10, 15, 16, 17]);
});

test('a list that does not fit is refused', () => {
  expect(() => feedConstants(graph(), { c: [1, 2, 3, 4] })).toThrow(
    /input 'c' \[2,3\] cannot be filled with 4 values/,
  );
});
