/** `dsg doctor` */
import { cardOptions } from '../model-card.ts';
import { choice, flag, integer, option, text, type Values } from '../options.ts';
import { deviceOptions } from '../run-options.ts';
import { defineCommand } from './command.ts';

const options = {
  device: option(
    '--device <name>',
    'Simple',
    'look at this one only; it must be there',
    choice(['cpu', 'cuda', 'webgpu', 'openvino']),
    'all that are there',
  ),
  model: option(
    '--model <file>',
    'Simple',
    'compare on this model',
    text,
    'a network of a few layers',
  ),
  size: option(
    '--size <n>',
    'Simple',
    'sides of the image that the model is tried on',
    integer(1),
    "the model's own; else 256, or 512 of a latent pipeline",
  ),
  precision: deviceOptions.precision,
  ...cardOptions,
  json: flag('--json', 'Output', 'print one JSON document'),
} as const;

export type DoctorValues = Values<typeof options>;

export const doctor = defineCommand({
  about: `Every device that is there takes a guided step (forward pass, loss and gradient), which is compared
with the CPU's; a device that computes something else is named with the first layer that does. Says
how CUDA is installed where it is missing. The exit code is 1 if something has to be put right.`,
  options,
  examples: [
    ['what is there, and does it work', 'dsg doctor'],
    ['compare a device with the CPU on a model', 'dsg doctor --model model.onnx --device webgpu'],
  ],
  run: async (_, values, io) => (await import('../doctor.ts')).examine(values, io),
});
