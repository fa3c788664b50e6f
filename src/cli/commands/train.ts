/** `dsg train` */
import { cardOptions } from '../model-card.ts';
import {
  choice,
  flag,
  integer,
  integerOr,
  option,
  optionWith,
  positive,
  real,
  requiredOption,
  text,
  type Values,
} from '../options.ts';
import { defineCommand } from './command.ts';
import { usualTraining } from '../training-defaults.ts';

const options = {
  output: requiredOption('-o, --output <file>', 'Simple', 'ONNX file to write', text),
  steps: optionWith('--steps <n>', 'Simple', 'steps in all', integer(1), 10_000),
  size: option('--size <n>', 'Simple', 'side of the images', integer(4), "32, or the model's own"),
  classes: option(
    '--classes <n>',
    'Simple',
    'classes to tell apart: kinds of shapes; none for an unconditional network',
    integerOr('none'),
    'the sub-folders, if there are several; 5 kinds of shapes',
  ),
  resume: flag(
    '--resume',
    'Simple',
    'go on from the checkpoint beside the output, if there is one',
  ),
  batch: optionWith('--batch <n>', 'Training', 'images a step', integer(1), 64),
  rate: optionWith('--rate <x>', 'Training', 'learning rate', positive, 0.001),
  ema: optionWith(
    '--ema <x>',
    'Training',
    'decay of the average of the weights, which is what is written',
    real(0, 1),
    0.999,
  ),
  pUncond: option(
    '--p-uncond <p>',
    'Training',
    'how often the class is withheld, so that the network can be guided without a classifier',
    real(0, 1),
    `${usualTraining.pUncond}`,
  ),
  schedule: option(
    '--schedule <name>',
    'Training',
    'noise schedule',
    choice(['linear', 'cosine']),
    "linear, or the model's own",
  ),
  clip: optionWith('--clip <x>', 'Training', 'longest gradient', positive, 1),
  weightDecay: optionWith(
    '--weight-decay <x>',
    'Training',
    "share of the weights, times the rate, that a step takes off: AdamW's",
    real(0),
    0,
  ),
  seed: optionWith('--seed <n>', 'Training', 'seed of all randomness', integer(0), 0),
  fit: optionWith(
    '--fit <how>',
    'Training',
    'images that are not square: cut out the middle, or distort',
    choice(['crop', 'resize']),
    'crop',
  ),
  mirror: flag('--mirror', 'Training', 'mirror every other image'),
  init: option(
    '--init <model>',
    'Network',
    'ONNX ε-model whose weights to start from, instead of a new network',
    text,
  ),
  width: option(
    '--width <n>',
    'Network',
    'channels of the first level of a new network, a multiple of 8; the others have twice as many',
    integer(8),
    `${usualTraining.width}`,
  ),
  levels: option(
    '--levels <n>',
    'Network',
    'its levels, each of half the side',
    integer(1, 8),
    `${usualTraining.levels}`,
  ),
  blocks: option(
    '--blocks <n>',
    'Network',
    'its residual blocks a level',
    integer(1, 16),
    `${usualTraining.blocks}`,
  ),
  every: optionWith(
    '--checkpoint-every <n>',
    'Output',
    'steps between checkpoints; the model so far is written with each',
    integer(1),
    1000,
  ),
  json: flag('--json', 'Output', 'print one JSON document on stdout instead of lines'),
  quiet: flag('-q, --quiet', 'Output', 'print no progress, notes or hints'),
  ...cardOptions,
} as const;

export type TrainValues = Values<typeof options>;

export const train = defineCommand({
  about: `DATA is a folder, whose sub-folders are classes, or the word shapes. Small networks on a CPU are
the aim. Beside the model go NAME.card.json, the checkpoint NAME.training.safetensors, and
NAME.training.csv with the loss of every step. Ctrl-C saves; --resume goes on to the same bits.`,
  options,
  examples: [
    ['a network that draws coloured shapes by class', 'dsg train shapes --size 16 -o shapes.onnx'],
    ['one of photographs in a folder for each class', 'dsg train photos --mirror -o photos.onnx'],
    ['go on after Ctrl-C, or for longer', 'dsg train photos --mirror -o photos.onnx --resume'],
    [
      'fit a model that there is to other images',
      'dsg train cats --init prior.onnx --rate 1e-4 -o cats.onnx',
    ],
  ],
  run: async ([data = ''], values, io) =>
    (await import('../training.ts')).trainModel(data, values, io),
});
