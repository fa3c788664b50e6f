/** `dsg inspect` */
import { dimensions, flag, option, type Values } from '../options.ts';
import { defineCommand } from './command.ts';

const options = {
  dim: option(
    '--dim <name=size>',
    'Simple',
    'size of a dimension that the model leaves open; INPUT.AXIS where it has no name',
    dimensions,
    '1 for the first axis, 64 for the others',
  ),
  json: flag('--json', 'Output', 'print one JSON document'),
} as const;

export type InspectValues = Values<typeof options>;

export const inspect = defineCommand({
  name: 'inspect',
  operands: '<model>',
  about: `Tell what an ONNX model takes and gives, and whether it can be differentiated.

Prints inputs, outputs, operator set, parameters and operators, what is known or inferred of it as
an ε-model, and every node that stands in the way of its gradient.`,
  options,
  examples: [
    ['look at a model', 'dsg inspect model.onnx'],
    ['at the size that it is to run at', 'dsg inspect model.onnx --dim height=256 --dim width=256'],
  ],
  run: async ([model = ''], values, io) =>
    (await import('../inspection.ts')).inspectModel(model, values, io),
});
