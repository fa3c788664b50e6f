/** Graphs of old operator sets compute the same after they were brought to opset 17. */
import type { NodeProto } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import type { Attributes } from '../../src/onnx/attributes.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { sizeOf, tensor } from '../../src/tensor/tensor.ts';
import { branchOf, graphOf, node, value } from '../helpers/onnx.ts';
import { byKernel, feedsOf, floats, ints, modelOf, x, type OneNode } from '../helpers/one-node.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
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

/** Of operator sets 7 to 10, whose nodes have more of their numbers in attributes. */
const image = x(1, 2, 4, 6);
const statistics = (...shape: number[]) => [
  floats(...shape),
  floats(...shape),
  floats(...shape),
  { shape, values: Array.from({ length: sizeOf(shape) }, (_, i) => 0.5 + i / 10) },
];
const oldest: (OneNode & { opset: number })[] = [
  ...['nearest', 'linear'].flatMap((mode) => {
    const larger = { floats: [1, 1, 2, 1.5] };
    const scales = { shape: [4], values: larger.floats };
    const fewer = { shape: [4], values: [1, 1, 0.5, 0.7] };
    return [
      {
        opset: 7,
        operator: 'Upsample',
        name: mode,
        slots: [image],
        attributes: { mode, scales: larger },
      },
      { opset: 9, operator: 'Upsample', name: mode, slots: [image, scales], attributes: { mode } },
      { opset: 10, operator: 'Resize', name: mode, slots: [image, scales], attributes: { mode } },
      {
        opset: 10,
        operator: 'Resize',
        name: `${mode}, fewer`,
        slots: [image, fewer],
        attributes: { mode },
      },
    ];
  }),
  {
    opset: 7,
    operator: 'Slice',
    name: 'all axes',
    slots: [x(4, 5)],
    attributes: { starts: [1, 0], ends: [-1, 9] },
  },
  {
    opset: 9,
    operator: 'Slice',
    name: 'one axis',
    slots: [x(4, 5)],
    attributes: { axes: [1], starts: [-3], ends: [5] },
  },
  { opset: 8, operator: 'TopK', name: '', slots: [x(3, 6)], attributes: { k: 2 }, outputs: [0, 1] },
  {
    opset: 9,
    operator: 'TopK',
    name: 'rows',
    slots: [x(3, 6)],
    attributes: { k: 2, axis: 0 },
    outputs: [0, 1],
  },
  {
    opset: 7,
    operator: 'Clip',
    name: 'both',
    slots: [x(9)],
    attributes: { min: { f: -0.5 }, max: { f: 0.25 } },
  },
  { opset: 10, operator: 'Clip', name: 'from below', slots: [x(9)], attributes: { min: { f: 0 } } },
  { opset: 10, operator: 'Clip', name: 'neither', slots: [x(9)] },
  {
    opset: 7,
    operator: 'Pad',
    name: 'a value',
    slots: [x(2, 3)],
    attributes: { pads: [0, 1, 2, -1], value: { f: 0.5 } },
  },
  {
    opset: 10,
    operator: 'Pad',
    name: 'reflected',
    slots: [x(4, 3)],
    attributes: { mode: 'reflect', pads: [1, 2, 0, 1] },
  },
  {
    opset: 10,
    operator: 'Scatter',
    name: '',
    slots: [x(3, 3), ints('int64', [2, 0, 1], [1, 3]), x(1, 3)],
    attributes: { axis: 0 },
  },
  {
    opset: 8,
    operator: 'BatchNormalization',
    name: '',
    slots: [image, ...statistics(2)],
    attributes: { spatial: 1 },
  },
  {
    opset: 7,
    operator: 'BatchNormalization',
    name: 'places',
    slots: [image, ...statistics(2, 4, 6)],
    attributes: { spatial: 0 },
  },
  { opset: 7, operator: 'Dropout', name: '', slots: [x(5)], attributes: { ratio: { f: 0.5 } } },
  { opset: 7, operator: 'Softmax', name: 'flattened', slots: [x(2, 3, 4)] },
  { opset: 8, operator: 'Unsqueeze', name: '', slots: [x(2, 3)], attributes: { axes: [0, 3] } },
];

describe('the same values of old sets', () => {
  test.each(oldest)('opset $opset $operator, $name', async (row) => {
    const bytes = modelOf({ domain: '', ...row }, row.opset);
    const feeds = feedsOf(row);
    const upgraded = await resolveGraph(parseModel(bytes, { folder: '.', where: 'model' }));
    expect(upgraded.opset).toBe(17);
    const [found, kernel] = [await runGraph(upgraded, feeds), await byKernel(bytes, feeds)];
    for (const { name } of upgraded.outputs) {
      expect(found[name]?.shape).toEqual(kernel[name]?.shape);
      expect(relativeError(found[name]!, kernel[name]!)).toBeLessThan(1e-6);
    }
  });
});

test.each<[number, OneNode, string]>([
  [6, { operator: 'Relu', name: '', slots: [x(2)] }, 'operator set 6 is older than 7'],
  [
    10,
    {
      operator: 'Resize',
      name: '',
      slots: [image, { shape: [4], values: [1, 1, 2, 0.5] }],
    },
    'nearest pixels, more along one axis and fewer along another',
  ],
])('refused of opset %i', async (opset, row, message) => {
  const bytes = modelOf({ domain: '', ...row }, opset);
  const model = parseModel(bytes, { folder: '.', where: 'model' });
  await expect(resolveGraph(model)).rejects.toThrow(message);
});

test('newer graphs keep their operator set', async () => {
  const row: Row = { opset: 20, type: 'Gelu', attributes: {}, from: [2], to: [[2]] };
  expect((await resolveGraph(asModel(row))).opset).toBe(20);
});
