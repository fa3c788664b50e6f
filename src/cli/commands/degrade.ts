/** `dsg degrade` */
import { IMAGE_FORMATS } from '../../image/formats.ts';
import { tasks } from '../../pipeline/tasks.ts';
import { degradationOptions } from '../degradation-options.ts';
import {
  choice,
  flag,
  integer,
  option,
  optionWith,
  requiredOption,
  text,
  type Values,
} from '../options.ts';
import { baseOption } from '../run-options.ts';
import { defineCommand } from './command.ts';

const { task: _, ...parameters } = degradationOptions;

const options = {
  task: requiredOption('-t, --task <task>', 'Simple', 'the degradation', choice(tasks)),
  output: requiredOption(
    '-o, --output <path>',
    'Simple',
    'folder for the measurements, or a file for a single input',
    text,
  ),
  ...parameters,
  seed: optionWith('--seed <n>', 'Sampling', 'seed of noise and masks', integer(0), 0),
  format: option(
    '--format <name>',
    'Output',
    'of the measurements; npy keeps them without rounding, with a .measurement.png to look at',
    choice(IMAGE_FORMATS),
    'png',
  ),
  base: baseOption,
  json: flag('--json', 'Output', 'print one JSON document on stdout instead of lines'),
  quiet: flag('-q, --quiet', 'Output', 'print no notes or hints'),
} as const;

export type DegradeValues = Values<typeof options>;

export const degrade = defineCommand({
  about: `Beside each measurement go NAME.operator.json, and mask or kernel, from which \`dsg restore\` reads
how it was made.`,
  options,
  examples: [
    ['blur a folder of images', 'dsg degrade clean --task deblur -o blurred'],
    ['restore them, with no further options', 'dsg restore blurred -o restored'],
    [
      'hide half of an image, exactly',
      'dsg degrade cat.png --task inpaint --mask box --format npy -o out',
    ],
  ],
  run: async (inputs, values, io) =>
    (await import('../degrading.ts')).degradeAll(inputs, values, io),
});
