/** `dsg summary` */
import { flag, type Values } from '../options.ts';
import { defineCommand } from './command.ts';

const options = {
  json: flag('--json', 'Output', 'print one JSON document, as `dsg restore --json` does'),
} as const;

export type SummaryValues = Values<typeof options>;

export const summary = defineCommand({
  options,
  examples: [['report on what an array of jobs has finished', 'dsg summary restored --json']],
  run: async (operands, values, io) =>
    (await import('../summarizing.ts')).summarize(operands, values, io),
});
