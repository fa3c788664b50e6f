/** `dsg cache` */
import { flag, type Values } from '../options.ts';
import { defineCommand } from './command.ts';

const options = {
  clear: flag('--clear', 'Simple', 'remove all of it'),
  json: flag('--json', 'Output', 'print one JSON document'),
} as const;

export type CacheValues = Values<typeof options>;

export const cache = defineCommand({
  about: `A model's derived graph is kept, as ONNX Runtime optimized it for this machine, until the model, the
image size, the task, dsg or ONNX Runtime change; so are the digests of models, and what was found
when a device was first compared with the CPU. Clearing it costs time and nothing else.

DSG_CACHE names another folder, or is off; DSG_CACHE_SIZE, such as 500M or 8G (the default), limits
it: what was used longest ago goes first.`,
  options,
  examples: [
    ['what is in it', 'dsg cache'],
    ['start afresh', 'dsg cache --clear'],
    ['without it', 'DSG_CACHE=off dsg restore photo.png --task deblur -o out'],
  ],
  run: async (_, values, io) => (await import('../caching.ts')).showCache(values, io),
});
