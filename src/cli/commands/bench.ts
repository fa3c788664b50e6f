/** `dsg bench` */
import { tasks, type Task } from '../../pipeline/tasks.ts';
import { protocolNames } from '../../pipeline/protocol.ts';
import { conditionOptions } from '../condition-options.ts';
import { degradationOptions } from '../degradation-options.ts';
import { byMetric } from '../limits.ts';
import { cardOptions } from '../model-card.ts';
import { methodOptions } from '../method-options.ts';
import { metricOptions } from '../metric-options.ts';
import {
  choice,
  flag,
  integer,
  listOf,
  option,
  optionWith,
  requiredOption,
  text,
  type Kind,
  type Values,
} from '../options.ts';
import { deviceOptions } from '../run-options.ts';
import { stepOptions } from '../settings.ts';
import { defineCommand } from './command.ts';

const methods = choice(['dsg', 'dps', 'pigdm', 'psld', 'none']);

const options = {
  output: requiredOption('-o, --output <folder>', 'Simple', 'folder for everything', text),
  tasks: optionWith('--tasks <list>', 'Simple', 'degradations', listOf<Task>(choice(tasks)), tasks),
  methods: option('--methods <list>', 'Simple', 'guidance', listOf(methods), 'of the protocol'),
  steps: option(
    '--steps <list>',
    'Simple',
    'sampling steps',
    listOf(integer(1)),
    'of the protocol',
  ),
  samples: optionWith('--samples <k>', 'Simple', 'restorations of each image', integer(1), 1),
  seed: optionWith('--seed <n>', 'Simple', 'seed of all randomness', integer(0), 0),
  protocol: optionWith(
    '--protocol <name>',
    'Simple',
    'whose measurements, methods and steps to take',
    choice(protocolNames),
    'article',
  ),
  noise: option(
    '--noise <sigma>',
    'Simple',
    'standard deviation of the noise, on images in [-1,1]',
    degradationOptions.noise.kind as Kind<number>,
    'of the protocol',
  ),
  fit: degradationOptions.fit,
  ...metricOptions,
  baseline: option('--baseline <file>', 'Regression', 'results.json of an earlier run', text),
  tolerance: option(
    '--tolerance <metric=value>',
    'Regression',
    'by how much a mean may be worse than in the baseline',
    byMetric,
    'psnr=0.1 ssim=0.005',
  ),
  min: option('--min <metric=value>', 'Regression', 'least mean of every line', byMetric),
  max: option('--max <metric=value>', 'Regression', 'largest mean of every line', byMetric),
  json: flag('--json', 'Output', 'print results.json on stdout instead of a table'),
  quiet: flag('-q, --quiet', 'Output', 'print no progress, notes or hints'),
  model: option(
    '--model <file>',
    'Advanced',
    'ONNX ε-model, or folder of a latent pipeline',
    text,
    'the one that comes with dsg',
  ),
  ...stepOptions,
  average: methodOptions.average,
  ...conditionOptions,
  ...cardOptions,
  ...deviceOptions,
} as const;

export type BenchValues = Values<typeof options>;

export const bench = defineCommand({
  about: `Every method sees the same measurement of an image: operators are frozen and saved, their hashes
in OUT/results.json with every score, its range and definition. Beside it go results.md,
results.csv and report.html. Run again, what is there and was made alike is not made again.`,
  options,
  examples: [
    ['compare two methods at three step counts', 'dsg bench clean -o out --methods dsg,dps'],
    [
      'one task, four samples of each image',
      'dsg bench clean -o out --tasks sr --steps 20 --samples 4',
    ],
    [
      'a text-to-image pipeline as prior',
      "dsg bench clean -o out --model sd --tasks inpaint --prompt 'a photo'",
    ],
    [
      'fail a CI job on a drop of quality',
      'dsg bench clean -o out --steps 20 --baseline results.json --tolerance psnr=0.1',
    ],
  ],
  run: async (operands, values, io) =>
    (await import('../benching.ts')).benchAll(operands, values, io),
});
