/** Graphs of old operator sets compute the same after they were brought to opset 17. */
import type { NodeProto } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import type { Attributes } from '../../src/onnx/attributes.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { branchOf, graphOf, node, value } from '../helpers/onnx.ts';
import { randomTensor } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

interface Row {
  readonly opset: number;
  readonly type: string;
  readonly attributes: Attributes;
  readonly from: number[];
  /** Shapes of the outputs. */
  readonly to: number[][];
}
const rows: Row[] = [
  { type: 'Softmax', attributes: {}, to: [[2, 3, 4]] },
  { type: 'Softmax', attributes: { axis: 0 }, to: [[2, 3, 4]] },
  { type: 'Softmax', attributes: { axis: 2 }, to: [[2, 3, 4]] },
  { type: 'Softmax', attributes: { axis: -1 }, to: [[2, 3, 4]] },
  { type: 'LogSoftmax', attributes: { axis: -2 }, to: [[2, 3, 4]] },
  { type: 'Hardmax', attributes: { axis: 1 }, to: [[2, 3, 4]] },
  { type: 'ReduceSum', attributes: { axes: [0, 2], keepdims: 0 }, to: [[3]] },
  { type: 'ReduceSum', attributes: { keepdims: 1 }, to: [[1, 1, 1]] },
  { type: 'ReduceMean', attributes: { axes: [1] }, to: [[2, 1, 4]] },
  { type: 'Unsqueeze', attributes: { axes: [0, 4] }, to: [[1, 2, 3, 4, 1]] },
  {
    type: 'Split',
    attributes: { axis: 2, split: [1, 3] },
    to: [
      [2, 3, 1],
      [2, 3, 3],
    ],
  },
  {
    type: 'Split',
    attributes: { axis: 2 },
    to: [
      [2, 3, 2],
      [2, 3, 2],
    ],
  },
  { type: 'Flatten', attributes: { axis: 2 }, to: [[6, 4]] },
].flatMap((row) => [11, 12].map((opset) => ({ opset, from: [2, 3, 4], ...row })));
rows.push(
  { opset: 11, type: 'Squeeze', attributes: { axes: [0, 2] }, from: [1, 3, 1, 1], to: [[3, 1]] },
  { opset: 11, type: 'Squeeze', attributes: {}, from: [1, 3, 1, 1], to: [[3]] },
  { opset: 11, type: 'Dropout', attributes: { ratio: 0.3 }, from: [2, 3], to: [[2, 3]] },
  { opset: 13, type: 'Softmax', attributes: { axis: 1 }, from: [2, 3, 4], to: [[2, 3, 4]] },
  { opset: 16, type: 'LogSoftmax', attributes: {}, from: [2, 3, 4], to: [[2, 3, 4]] },
);

const graphFor = ({ opset, type, attributes, from, to }: Row) => {
  const names = to.map((_, i) => `y${i}`);
  const outputs = to.map((shape, i) => ({ name: `y${i}`, dtype: 'float32' as const, shape }));
  const x = { name: 'x', dtype: 'float32' as const, shape: from };
  return graphOf(opset, [x], outputs, [node(type, ['x'], names, attributes)]);
};
const asModel = (row: Row) =>
  parseModel(encodeGraph(graphFor(row)), { folder: '.', where: 'model' });

describe('the same values', () => {
  test.each(rows)('opset $opset $type $attributes', async (row) => {
    const upgraded = await resolveGraph(asModel(row));
    expect(upgraded.opset).toBe(17);
    const feeds = { x: randomTensor('x', row.from) };
    expect(await runGraph(upgraded, feeds)).toEqual(await runGraph(graphFor(row), feeds));
  });
});

test.each([11, 13, 15, 16])('regions of an image, opset %i', async (opset) => {
  const bins = { output_height: 2, output_width: 2, sampling_ratio: 2 };
  const graph = graphOf(
    opset,
    [value('x', 'float32', [1, 1, 4, 4])],
    [value('y', 'float32', [1, 1, 2, 2])],
    [node('RoiAlign', ['x', 'rois', 'images'], ['y'], bins)],
  );
  graph.initializers.set('rois', initializerFrom('float32', [1, 4], Float32Array.of(0, 1, 3, 3)));
  graph.initializers.set('images', initializerFrom('int64', [1], BigInt64Array.of(0n)));
  const model = parseModel(encodeGraph(graph), { folder: '.', where: 'model' });
  const feeds = { x: randomTensor('x', [1, 1, 4, 4]) };
  const upgraded = await resolveGraph(model);
  expect(await runGraph(upgraded, feeds)).toEqual(await runGraph(graph, feeds));
});

/** y = if c then x + what `type` gives of x, else x + x; x is `[2,3]`. */
function branching(opset: number, type: string, attributes: Attributes) {
  const branch = (...nodes: NodeProto[]) => branchOf(nodes, { dtype: 'float32', shape: [2, 3] });
  const choice = node('If', ['c'], ['y'], {
    then_branch: branch(
      node(type, ['x'], ['part'], attributes),
      node('Add', ['part', 'x'], ['then']),
    ),
    else_branch: branch(node('Add', ['x', 'x'], ['else'])),
  });
  const inputs = [value('x', 'float32', [2, 3]), value('c', 'bool', [])];
  return graphOf(opset, inputs, [value('y', 'float32', [2, 3])], [choice]);
}

describe('the same values in a branch', () => {
  test.each<[number, string, Attributes]>([
    [11, 'ReduceSum', { axes: [0, 1] }],
    [12, 'Softmax', { axis: -1 }],
    [11, 'Dropout', { ratio: 0.3 }],
  ])('opset %i %s', async (opset, type, attributes) => {
    const graph = branching(opset, type, attributes);
    const upgraded = await resolveGraph(
      parseModel(encodeGraph(graph), { folder: '.', where: 'model' }),
    );
    expect(upgraded.opset).toBe(17);
    const x = randomTensor('x', [2, 3]);
    for (const c of [0, 1]) {
      const feeds = { x, c: tensor([], Float32Array.of(c)) };
      expect(await runGraph(upgraded, feeds)).toEqual(await runGraph(graph, feeds));
    }
  });

  test('but for what would flatten something of unknown shape', () =>
    expect(
      resolveGraph(
        parseModel(encodeGraph(branching(12, 'Softmax', { axis: 0 })), {
          folder: '.',
          where: 'model',
        }),
      ),
    ).rejects.toThrow('Softmax part in a branch or a loop, as operator set 12 has it'));
});

test('what is older than opset 11 is refused', () =>
  expect(
    resolveGraph(asModel({ opset: 9, type: 'Relu', attributes: {}, from: [2], to: [[2]] })),
  ).rejects.toThrow('operator set 9 is older than 11'));

test('newer graphs keep their operator set', async () => {
  const row: Row = { opset: 20, type: 'Gelu', attributes: {}, from: [2], to: [[2]] };
  expect((await resolveGraph(asModel(row))).opset).toBe(20);
});
