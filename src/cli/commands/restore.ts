/** `dsg restore` */
import { conditionOptions } from '../condition-options.ts';
import { degradationOptions } from '../degradation-options.ts';
import { lossOptions } from '../loss-options.ts';
import { fidelityOptions } from '../method-options.ts';
import { cardOptions } from '../model-card.ts';
import { flag, integer, integerOr, option, optionWith, requiredOption, text } from '../options.ts';
import type { Values } from '../options.ts';
import { baseOption, runOptions } from '../run-options.ts';
import { replayOptions, samplingOptions, startOptions } from '../settings.ts';
import { shardKind } from '../shard.ts';
import { defineCommand } from './command.ts';

const { task, ...parameters } = degradationOptions;

const options = {
  task,
  output: requiredOption(
    '-o, --output <path>',
    'Simple',
    'folder for the results, or a file for a single input',
    text,
  ),
  ...parameters,
  simulate: flag(
    '--simulate',
    'Simple',
    'inputs are clean: degrade them first, and report PSNR and SSIM',
  ),
  model: option(
    '--model <path>',
    'Sampling',
    'ONNX ε-model, or the folder of a latent pipeline',
    text,
    'the one that comes with dsg',
  ),
  samples: optionWith(
    '--samples <k>',
    'Sampling',
    'restorations of each image; the result is their mean, beside it what they differ in',
    integer(1),
    1,
  ),
  ...lossOptions,
  ...samplingOptions,
  stepSize: { ...samplingOptions.stepSize, otherwise: 'by task and steps; ugd needs one' },
  ...fidelityOptions,
  ...startOptions,
  ...conditionOptions,
  ...cardOptions,
  ...runOptions,
  batch: { ...runOptions.batch, otherwise: '1; auto with --samples' },
  base: baseOption,
  shard: option(
    '--shard <part>',
    'Advanced',
    'restore every n-th input only; auto asks the cluster engine which',
    shardKind,
    'all',
  ),
  tile: option(
    '--tile <size>',
    'Advanced',
    "restore larger images through overlapping windows of this side; auto takes the model's own, " +
      'or 256',
    integerOr('auto'),
    'the whole image at once',
  ),
  tileOverlap: option(
    '--tile-overlap <n>',
    'Advanced',
    'pixels that neighbouring windows share at the least',
    integer(0),
    'a quarter of a window',
  ),
  ...replayOptions,
} as const;

export type RestoreValues = Values<typeof options>;

export const restore = defineCommand({
  about: `Inputs are files, folders, patterns such as 'photos/**/*.png', or - for a list on stdin.

How a measurement was made is read from the operator record that \`dsg degrade\` leaves beside it,
or said by the options. Each result goes to OUT with a JSON sidecar that says how to repeat it.

With --samples K, OUT/NAME.png is the mean of K samples of the posterior, the estimate of least
squared error; OUT/NAME.samples has the samples, and OUT/NAME.deviation.png their standard
deviation as a heat map, from black for none to pale yellow for a quarter or more.`,
  options,
  examples: [
    ['deblur a folder of images', 'dsg restore photos --task deblur -o restored'],
    ['fill in what a mask hides', 'dsg restore cat.png --task inpaint --mask mask.png -o out'],
    ['enlarge one image four times', 'dsg restore small.png --task sr --scale 4 -o large.png'],
    [
      'degrade clean images, restore them and measure how well',
      'dsg restore clean --task sr --simulate -o out --steps 20',
    ],
    ['restore what `dsg degrade` made', 'dsg restore degraded -o restored'],
    [
      'eight answers, their mean, and where they disagree',
      'dsg restore cat.png --task inpaint --mask mask.png --samples 8 -o out',
    ],
    [
      'what is known to show class 207, by a model that knows classes',
      'dsg restore blurred.png --task deblur --model classes.onnx --class 207 --cfg-scale 1 -o out',
    ],
    [
      'with the prior of a latent pipeline, through its decoder: see docs/latent.md',
      "dsg restore cat.png --task inpaint --mask mask.png --model sd --prompt 'a cat' -o out",
    ],
    [
      'go on after an interruption, two images at a time',
      'dsg restore photos --task deblur -o restored --resume --lanes 2',
    ],
  ],
  run: async (inputs, values, io) =>
    (await import('../restoration.ts')).restoreAll(inputs, values, io),
});
