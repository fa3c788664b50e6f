/** Float16 models computed in float32. */
import { Float16Array } from '@petamoriken/float16';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { branchOf, graphOf, node, value } from '../helpers/onnx.ts';
import { randomTensor } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

/** softmax(x W + cast of float32 b), all in float16. */
function halfGraph(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float16', [2, 64]);
  const bias = b.input('bias', 'float32', [64]);
  const weights = Float16Array.from(randomTensor('w', [64, 64]).data);
  const w = b.initializer('w', initializerFrom('float16', [64, 64], weights));
  const sum = b.add(b.matMul(x, w), b.cast(bias, 'float16'));
  b.output(b.op('Softmax', [b.scale(sum, 0.25)]), 'y');
  return b.graph;
}

test('inside everything is float32, outside nothing changed', async () => {
  const graph = halfGraph();
  const wide = await resolveGraph(parseModel(encodeGraph(graph), { folder: '.', where: 'model' }));
  expect(wide.inputs.map((v) => v.dtype)).toEqual(['float16', 'float32']);
  expect(wide.outputs.map((v) => v.dtype)).toEqual(['float16']);
  const inside = [...wide.values.values()].filter((v) => !['x', 'y'].includes(v.name));
  expect(inside.filter((v) => v.dtype === 'float16')).toEqual([]);
  expect([...wide.initializers.values()].filter((t) => t.dtype === 'float16')).toEqual([]);

  const feeds = { x: randomTensor('x', [2, 64]), bias: randomTensor('bias', [64]) };
  const [narrow, widened] = [await runGraph(graph, feeds), await runGraph(wide, feeds)];
  // A float16 has 11 bits, and the logits round before the softmax.
  widened['y']?.data.forEach((v, i) => expect(v).toBeCloseTo(narrow['y']?.data[i] as number, 2));
  expect(widened['y']?.data.reduce((a, v) => a + v, 0)).toBeCloseTo(2, 2);
});

test('branches that read float16 values around them are widened too', async () => {
  const branch = (type: string, name: string) =>
    branchOf([node(type, ['x', 'x'], [name])], { dtype: 'float16', shape: [2, 3] });
  const choice = node('If', ['c'], ['chosen'], {
    then_branch: branch('Mul', 'then'),
    else_branch: branch('Add', 'else'),
  });
  const graph = graphOf(
    17,
    [value('x', 'float16', [2, 3]), value('c', 'bool', [])],
    [value('y', 'float16', [2, 3])],
    [choice, node('Add', ['chosen', 'x'], ['y'])],
  );
  const wide = await resolveGraph(parseModel(encodeGraph(graph), { folder: '.', where: 'model' }));
  expect(wide.values.get('chosen')?.dtype).toBe('float32');
  const x = tensor([2, 3], Float32Array.of(1, -2, 3, 0.5, -0.25, 0));
  for (const [c, expected] of [
    [1, x.data.map((v) => v * v + v)],
    [0, x.data.map((v) => 3 * v)],
  ] as const)
    expect((await runGraph(wide, { x, c: tensor([], Float32Array.of(c)) }))['y']?.data).toEqual(
      expected,
    );
});

test('a float32 graph is left alone', async () => {
  const b = new GraphBuilder();
  b.output(b.op('Relu', [b.input('x', 'float32', [3])]), 'y');
  const graph = await resolveGraph(
    parseModel(encodeGraph(b.graph), { folder: '.', where: 'model' }),
  );
  expect(graph.nodes.map((n) => n.opType)).toEqual(['Relu']);
});
