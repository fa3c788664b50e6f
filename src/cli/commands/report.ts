/** `dsg report` */
import { flag, integer, optionWith, requiredOption, text, type Values } from '../options.ts';
import { defineCommand } from './command.ts';

const options = {
  output: requiredOption('-o, --output <file>', 'Simple', 'the HTML file to write', text),
  images: optionWith('--images <n>', 'Simple', 'images to show, at most', integer(0), 12),
  quiet: flag('-q, --quiet', 'Output', 'print no hints'),
} as const;

export type ReportValues = Values<typeof options>;

export const report = defineCommand({
  about: `Images are taken from beside results.json and put into the file, scaled down; opening it needs no
network. The tables hold every image, the pictures those that span the range of PSNR.`,
  options,
  examples: [['look at a benchmark', 'dsg report out/results.json -o report.html']],
  run: async ([results = ''], values, io) =>
    (await import('../reporting.ts')).writeReport(results, values, io),
});
