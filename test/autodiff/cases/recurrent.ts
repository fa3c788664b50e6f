/** Law cases of recurrent networks. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { GraphBuilder } from '../../../src/onnx/builder.ts';
import type { Value } from '../../../src/onnx/graph.ts';
import type { LawCase } from '../law.ts';

const [steps, batch, width, hidden] = [4, 2, 3, 2];
const gates: Readonly<Record<string, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

interface Details {
  attributes?: Attributes;
  /** Which of bias, initial states and peepholes there are. */
  inputs?: readonly ('bias' | 'h' | 'c' | 'p')[];
  /** Which output is looked at; the states of all steps if left out. */
  output?: number;
  lengths?: boolean;
}

function recurrentCase(
  operator: string,
  name: string,
  { attributes = {}, inputs = ['bias', 'h'], output = 0, lengths = false }: Details = {},
): LawCase {
  const d = attributes['direction'] === 'bidirectional' ? 2 : 1;
  const rows = (gates[operator] ?? 1) * hidden;
  const shapes = {
    x: [steps, batch, width],
    w: [d, rows, width],
    r: [d, rows, hidden],
    bias: [d, 2 * rows],
    h: [d, batch, hidden],
    c: [d, batch, hidden],
    p: [d, 3 * hidden],
  };
  const there = ['x', 'w', 'r', ...inputs];
  return {
    name,
    operator,
    inputs: Object.fromEntries(
      Object.entries(shapes)
        .filter(([key]) => there.includes(key))
        .map(([key, shape]) => [key, { shape, low: -0.6, high: 0.6 }]),
    ),
    build(b, { x, w, r, bias, h, c, p }) {
      const given = lengths ? b.constant([steps, steps], 'int32') : undefined;
      const list = [x, w, r, bias, given, h, c, p];
      const all = { hidden_size: hidden, ...attributes };
      return outputs(b, operator, list, all)[output] as Value;
    },
  };
}

const outputs = (
  b: GraphBuilder,
  operator: string,
  inputs: (Value | undefined)[],
  attributes: Attributes,
): Value[] => b.ops(operator, inputs, attributes, operator === 'LSTM' ? 3 : 2);

export const recurrent: LawCase[] = [
  ...Object.keys(gates).flatMap((operator) => [
    recurrentCase(operator, 'forward'),
    recurrentCase(operator, 'without bias and state', { inputs: [] }),
    recurrentCase(operator, 'backwards', { attributes: { direction: 'reverse' } }),
    recurrentCase(operator, 'both ways', { attributes: { direction: 'bidirectional' } }),
    recurrentCase(operator, 'both ways, the last states', {
      attributes: { direction: 'bidirectional' },
      output: 1,
    }),
    recurrentCase(operator, 'lengths that are all the same', { lengths: true }),
  ]),
  recurrentCase('LSTM', 'the last cell', { inputs: ['bias', 'c'], output: 2 }),
  recurrentCase('LSTM', 'peepholes', { inputs: ['bias', 'h', 'c', 'p'] }),
  recurrentCase('LSTM', 'peepholes, both ways', {
    attributes: { direction: 'bidirectional' },
    inputs: ['bias', 'c', 'p'],
  }),
  recurrentCase('LSTM', 'other activations', {
    attributes: { activations: ['Sigmoid', 'softplus', 'Tanh'] },
  }),
  recurrentCase('GRU', 'reset after the product', { attributes: { linear_before_reset: 1 } }),
  recurrentCase('GRU', 'reset after the product, no bias', {
    attributes: { linear_before_reset: 1, direction: 'bidirectional' },
    inputs: ['h'],
  }),
  recurrentCase('RNN', 'each way its own activation', {
    attributes: { direction: 'bidirectional', activations: ['Softplus', 'Sigmoid'] },
  }),
];
