/** What resolving refuses: shapes that follow from data. */
import type { NodeProto } from 'onnx-buf';
import { expect, test } from 'vitest';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { branchOf, graphOf, node, value } from '../helpers/onnx.ts';

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
