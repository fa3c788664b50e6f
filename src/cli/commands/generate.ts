/** `dsg generate` */
import { conditionOptions } from '../condition-options.ts';
import { lossOptions } from '../loss-options.ts';
import { cardOptions } from '../model-card.ts';
import { integer, option, optionWith, requiredOption, text, type Values } from '../options.ts';
import { runOptions } from '../run-options.ts';
import { replayOptions, samplingOptions } from '../settings.ts';
import { defineCommand } from './command.ts';

const options = {
  output: requiredOption(
    '-o, --output <path>',
    'Simple',
    'folder for the images, or a file for a single one',
    text,
  ),
  model: option(
    '--model <path>',
    'Simple',
    'ONNX ε-model, or the folder of a latent pipeline',
    text,
    'the one that comes with dsg',
  ),
  count: optionWith('--count <n>', 'Simple', 'how many images', integer(1, 1_000_000), 1),
  width: option(
    '--width <n>',
    'Simple',
    'of the images, in pixels',
    integer(1),
    "the model's; else 256, or 512 of a latent pipeline",
  ),
  height: option(
    '--height <n>',
    'Simple',
    'of the images, in pixels',
    integer(1),
    "the model's, else the width",
  ),
  ...lossOptions,
  ...samplingOptions,
  method: { ...samplingOptions.method, otherwise: 'dsg with --loss, else none' },
  rate: { ...samplingOptions.rate, otherwise: '0.1' },
  interval: { ...samplingOptions.interval, otherwise: '1' },
  stepSize: { ...samplingOptions.stepSize, otherwise: 'must be given, but for freedom' },
  eta: { ...samplingOptions.eta, otherwise: '1 with --loss, else 0' },
  ...conditionOptions,
  ...cardOptions,
  ...runOptions,
  ...replayOptions,
  grid: option(
    '--grid <columns>',
    'Output',
    'also put all images into one picture, grid.png',
    integer(1),
    'off',
  ),
} as const;

export type GenerateValues = Values<typeof options>;

export const generate = defineCommand({
  about: `Images are named 0000, 0001, … and each gets a JSON sidecar that says how to repeat it. The noise of
an image follows from its number and the seed, so more images can be made later with --resume.`,
  options,
  examples: [
    ['four samples of the prior that comes with dsg', 'dsg generate --count 4 --width 64 -o out'],
    [
      'sixteen images of one class, and all in one picture',
      'dsg generate --model classes.onnx --class 207 --count 16 --grid 4 -o out',
    ],
    [
      'more of the class, and less variety',
      'dsg generate --model classes.onnx --class 207 --cfg-scale 2 --count 16 -o out',
    ],
    [
      'the same of a model that knows no classes, by a classifier that does',
      'dsg generate --model prior.onnx --classifier noisy-classifier.onnx --class 207 -o out',
    ],
    [
      'what a text says, by a pipeline of the form of Stable Diffusion: see docs/latent.md',
      "dsg generate --model sd --prompt 'a cat on a bicycle' --negative blurry --steps 50 -o out",
    ],
    [
      'in the colours of a picture, without any other network',
      'dsg generate --loss color,distance=palette --target sunset.jpg --count 4 -o out',
    ],
    [
      'a face of the identity of another, as published',
      'dsg generate --model faces.onnx --loss identity:arcface.onnx --target me.png --preset dsg-faceid -o out',
    ],
    ['what became of the noise', 'dsg generate --steps 50 --trace 5 -o sample.png'],
  ],
  run: async (_, values, io) => (await import('../generation.ts')).generateAll(values, io),
});
