/** `dsg differentiate` */
import { dimensions, flag, names, option, requiredOption, text, type Values } from '../options.ts';
import { defineCommand } from './command.ts';

const options = {
  destination: requiredOption('-o <file>', 'Simple', 'ONNX file to write', text),
  output: option('--output <name>', 'Simple', 'output to differentiate', text, 'the only one'),
  wrt: option(
    '--wrt <name>',
    'Simple',
    'input to differentiate with respect to',
    text,
    'the first float input',
  ),
  dim: option(
    '--dim <name=size>',
    'Simple',
    'size of a dimension that the model leaves open; INPUT.AXIS where it has no name',
    dimensions,
  ),
  stop: option(
    '--stop <name>',
    'Advanced',
    'value of the graph that no gradient passes, as detach() in PyTorch, which exports lose',
    names,
  ),
  quiet: flag('-q, --quiet', 'Output', 'print no notes or hints'),
} as const;

export type DifferentiateValues = Values<typeof options>;

export const differentiate = defineCommand({
  about: `The result has the model's inputs and outputs at fixed sizes, one more input OUTPUT.cotangent, and
one more output WRT.gradient: the gradient of the sum of cotangent times output.`,
  options,
  examples: [
    [
      'a noise predictor and its gradient at its image',
      'dsg differentiate model.onnx --dim batch=1 --dim height=256 --dim width=256 -o gradient.onnx',
    ],
    [
      'one of several outputs and inputs',
      'dsg differentiate clip.onnx --output image_embeds --wrt pixel_values -o gradient.onnx',
    ],
  ],
  run: async ([model = ''], values, io) =>
    (await import('../differentiation.ts')).differentiateModel(model, values, io),
});
