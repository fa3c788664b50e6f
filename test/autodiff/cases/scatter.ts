/** Law cases of what is put in place by index. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { GraphBuilder } from '../../../src/onnx/builder.ts';
import type { Value } from '../../../src/onnx/graph.ts';
import { sizeOf } from '../../../src/tensor/tensor.ts';
import type { LawCase } from '../law.ts';
import { apart } from './case.ts';

const scatter = (
  operator: 'ScatterElements' | 'ScatterND',
  name: string,
  [data, updates]: [number[], number[]],
  indices: (b: GraphBuilder) => Value,
  attributes: Attributes = {},
  opset = 17,
): LawCase => ({
  name: `${name}, opset ${opset}`,
  operator,
  inputs: { data: { shape: data }, updates: { shape: updates } },
  opset,
  build: (b, { data, updates }) => b.op(operator, [data, indices(b), updates], attributes),
});

/** Indices of columns, the first of which two updates go to in one row. */
const columns = (b: GraphBuilder): Value => b.constant([0, 2, 0, 1, 1, -1], 'int64', [2, 3]);
/** Rows, one of them twice. */
const rows = (b: GraphBuilder): Value => b.constant([2, 0, 2], 'int64', [3, 1]);
const shapes = {
  ScatterElements: [
    [2, 4],
    [2, 3],
  ],
  ScatterND: [
    [4, 2],
    [3, 2],
  ],
} as const;

const places = { ScatterElements: columns, ScatterND: rows };

const reduced = (operator: 'ScatterElements' | 'ScatterND', reduction: string): LawCase => {
  const [data, updates] = shapes[operator].map((shape) => [...shape]) as [number[], number[]];
  const attributes = { reduction, ...(operator === 'ScatterElements' && { axis: -1 }) };
  const c = scatter(operator, reduction, [data, updates], places[operator], attributes, 18);
  const values = apart(sizeOf(data) + sizeOf(updates));
  return {
    ...c,
    inputs: {
      data: { shape: data, values: values.slice(0, sizeOf(data)) },
      updates: { shape: updates, values: values.slice(sizeOf(data)) },
    },
  };
};

/** Zeros among the data, among updates that meet one another, and in both. */
const zeros: LawCase = {
  name: 'mul, with zeros',
  operator: 'ScatterElements',
  inputs: {
    data: { shape: [5], values: [2, 0, 3, 0, -1] },
    updates: { shape: [8], values: [0, 3, 2, -2, 0, 0, 0, 4] },
  },
  opset: 18,
  build: (b, { data, updates }) =>
    b.op('ScatterElements', [data, b.ints([0, 0, 1, 2, 2, 3, 4, 4]), updates], {
      reduction: 'mul',
    }),
};

export const scatters: LawCase[] = [
  scatter(
    'ScatterElements',
    'written over',
    [
      [3, 4],
      [2, 4],
    ],
    (b) => b.constant([0, 1, 2, 0, 2, 0, 1, 1], 'int64', [2, 4]),
    { axis: 0 },
  ),
  scatter(
    'ScatterElements',
    'negative axis',
    [
      [2, 4],
      [2, 2],
    ],
    (b) => b.constant([1, 3, 0, -1], 'int64', [2, 2]),
    { axis: -1 },
    18,
  ),
  scatter(
    'ScatterElements',
    'added',
    [
      [3, 2],
      [2, 2],
    ],
    (b) => b.constant([1, 1, 1, 0], 'int64', [2, 2]),
    { reduction: 'add' },
  ),
  scatter(
    'ScatterND',
    'rows',
    [
      [4, 3],
      [2, 3],
    ],
    (b) => b.constant([2, 0], 'int64', [2, 1]),
  ),
  scatter('ScatterND', 'elements', [[4, 3], [2]], (b) => b.constant([2, 0, 1, 1], 'int64', [2, 2])),
  scatter(
    'ScatterND',
    'added',
    [
      [4, 3],
      [3, 3],
    ],
    (b) => b.constant([2, 0, 2], 'int64', [3, 1]),
    { reduction: 'add' },
    18,
  ),
  ...(['ScatterElements', 'ScatterND'] as const).flatMap((operator) =>
    ['mul', 'max', 'min'].map((reduction) => reduced(operator, reduction)),
  ),
  zeros,
];
