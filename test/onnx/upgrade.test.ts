/** Graphs of old operator sets compute the same after they were brought to opset 17. */
import { describe, expect, test } from 'vitest';
import type { Attributes } from '../../src/onnx/attributes.ts';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { graphOf, node } from '../helpers/onnx.ts';
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
  { opset: 11, type: 'Dropout', attributes: {}, from: [2, 3], to: [[2, 3]] },
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

test('what is older than opset 11 is refused', () =>
  expect(
    resolveGraph(asModel({ opset: 9, type: 'Relu', attributes: {}, from: [2], to: [[2]] })),
  ).rejects.toThrow('operator set 9 is older than 11'));

test('newer graphs keep their operator set', async () => {
  const row: Row = { opset: 20, type: 'Gelu', attributes: {}, from: [2], to: [[2]] };
  expect((await resolveGraph(asModel(row))).opset).toBe(20);
});
