/** `dsg inspect` */
import { cardOptions } from '../model-card.ts';
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
  check: flag(
    '--check',
    'Simple',
    'denoise a drawn image at several noise levels: does the network do what its card says?',
  ),
  ...cardOptions,
  json: flag('--json', 'Output', 'print one JSON document'),
} as const;

export type InspectValues = Values<typeof options>;

export const inspect = defineCommand({
  about: `Prints inputs, outputs, operator set, parameters and operators; what its card says of it as an
ε-model, what was inferred and why; the path of its gradient, and every node that stands in the way;
and an estimate of what a guided step takes. Of the folder of a latent pipeline, every part; --dim
height and width are then those of images. With --check, the exit code is 3 if the network does
not denoise as its card says.`,
  options,
  examples: [
    ['look at a model', 'dsg inspect model.onnx'],
    ['at the size that it is to run at', 'dsg inspect model.onnx --dim height=256 --dim width=256'],
    ['a latent pipeline, with what it takes', 'dsg inspect sd --dim height=768 --dim width=768'],
    ['whether schedule, range and prediction type are right', 'dsg inspect model.onnx --check'],
    ['', 'dsg inspect model.onnx --check --card prediction=v --card schedule.name=cosine'],
  ],
  run: async ([model = ''], values, io) =>
    (await import('../inspection.ts')).inspectModel(model, values, io),
});
