/** `dsg demo` */
import { flag, integer, listOf, optionWith, text, type Values } from '../options.ts';
import { deviceOptions } from '../run-options.ts';
import { defineCommand } from './command.ts';

const options = {
  output: optionWith(
    '-o, --output <folder>',
    'Simple',
    'folder for the picture and the table',
    text,
    'dsg-demo',
  ),
  steps: optionWith(
    '--steps <list>',
    'Simple',
    'sampling steps',
    listOf(integer(1)),
    [20, 50, 100],
  ),
  quiet: flag('-q, --quiet', 'Output', 'print no progress, notes or hints'),
  ...deviceOptions,
} as const;

export type DemoValues = Values<typeof options>;

export const demo = defineCommand({
  about: `The picture is generated (no photograph, and none that the default prior was trained on), 128x128.
It is degraded by inpainting, super-resolution x4 and deblurring, and restored with DPS (with its
article's step size, and with one tuned for this prior and step count) and DPS+DSG. OUT/demo.png
shows all results, OUT/demo.md has the table. Everything is seeded: it comes out alike each time.
On two cores it takes about five minutes, or one with --steps 20.`,
  options,
  examples: [
    ['the whole comparison', 'dsg demo'],
    ['the quick part of it', 'dsg demo --steps 20 -o out'],
  ],
  run: async (_, values, io) => (await import('../demonstration.ts')).demonstrate(values, io),
});
