/** `dsg eval` */
import { byMetric } from '../limits.ts';
import { metricOptions } from '../metric-options.ts';
import { flag, integer, option, optionWith, text, type Values } from '../options.ts';
import { defineCommand } from './command.ts';

const options = {
  border: optionWith(
    '--border <pixels>',
    'Simple',
    'leave out this many pixels at every edge',
    integer(0),
    0,
  ),
  luma: flag('--luma', 'Simple', 'score the Y channel (BT.601) as well, as psnrY and ssimY'),
  ...metricOptions,
  measurements: option(
    '--measurements <folder>',
    'Simple',
    'where NAME.operator.json and measurements are, for the residual',
    text,
    'beside the results or references',
  ),
  min: option('--min <metric=value>', 'Simple', 'least score of every image', byMetric),
  max: option('--max <metric=value>', 'Simple', 'largest score of every image', byMetric),
  json: flag('--json', 'Output', 'print one JSON document on stdout instead of a table'),
  csv: flag('--csv', 'Output', 'print CSV, numbers in full'),
  markdown: flag('--markdown', 'Output', 'print a Markdown table'),
  quiet: flag('-q, --quiet', 'Output', 'print no notes'),
} as const;

export type EvalValues = Values<typeof options>;

export const evaluate = defineCommand({
  about: `PSNR and SSIM of every image with their means and definitions; the residual ‖y − A(x)‖ against the
noise level where operator records are. A limit that is not met ends with exit code 3.`,
  options,
  examples: [
    ['score a folder of results', 'dsg eval restored clean'],
    [
      'as super-resolution articles do: Y channel, border of the scale',
      'dsg eval restored clean --luma --border 4',
    ],
    ['fail a CI job on a drop of quality', 'dsg eval restored clean --min psnr=25 --min ssim=0.7'],
  ],
  run: async (operands, values, io) =>
    (await import('../evaluation.ts')).evaluateAll(operands, values, io),
});
