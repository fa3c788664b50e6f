/** What resolving refuses, shapes that follow from data, and what it leaves for later optimizations. */
import type { NodeProto } from 'onnx-buf';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Value } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { branchOf, graphOf, node, value } from '../helpers/onnx.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const resolve = (...nodes: NodeProto[]) => {
  const inputs = [value('x', 'float32', [1, 4]), value('c', 'bool', [])];
  const graph = graphOf(17, inputs, [value('y', 'float32', [1, 4])], nodes);
  return resolveGraph(parseModel(encodeGraph(graph), { folder: '.', where: 'model.onnx' }));
};

const chosen = (then: NodeProto) =>
  node('If', ['c'], ['chosen'], {
    then_branch: branchOf([then]),
    else_branch: branchOf([node('Identity', ['x'], ['else'])]),
  });

test('branches of one rank are no obstacle', () =>
  expect(
    resolve(
      chosen(node('Flatten', ['x'], ['then'])),
      node('Squeeze', ['x'], ['flat']),
      node('Add', ['x', 'chosen'], ['y']),
    ),
  ).resolves.toBeDefined());

test('a value whose rank depends on data is named, and not taken for a scalar', () =>
  expect(
    resolve(chosen(node('Squeeze', ['x'], ['then'])), node('Add', ['x', 'chosen'], ['y'])),
  ).rejects.toThrow('model.onnx: shapes that depend on data: chosen of any rank'));

test('a scalar is one', async () => {
  const sum = node('ReduceSum', ['x'], ['sum'], { keepdims: 0 });
  const graph = await resolve(sum, node('Add', ['x', 'sum'], ['y']));
  expect(graph.values.get('sum')?.shape).toEqual([]);
});

test('what optimizations brought is called otherwise than they would call it again', async () => {
  const b = new GraphBuilder(emptyGraph('model.onnx', 17));
  const layer = (v: Value, name: string): Value => {
    const { data } = randomTensor(name, [16]);
    const weights = b.initializer(name, initializerFrom('float32', [4, 4], data));
    return b.add(b.matMul(v, weights), b.constant([1, 2, 3, 4]));
  };
  b.output(layer(layer(b.input('x', 'float32', [2, 3, 4]), 'w1'), 'w2'), 'y');
  const model = parseModel(encodeGraph(b.graph), { folder: '.', where: 'model.onnx' });
  const graph = await resolveGraph(model);
  // A product of stacks and a sum became one of matrices, with the shapes before and after as constants.
  expect(graph.nodes.map((n) => n.opType)).toContain('Gemm');
  const brought = [...graph.values.keys()].filter((name) => name.includes('gemm'));
  expect(brought).toEqual(brought.filter((name) => name.endsWith('/folded.0')));
  const x = randomTensor('x', [2, 3, 4]);
  const [before, after] = [await runGraph(b.graph, { x }), await runGraph(graph, { x })];
  expect(relativeError(after['y']!, before['y']!)).toBeLessThan(1e-6);
});
