/** The commands, in the order of `dsg --help`. A new one is a file in commands/ and a row here. */
import type { Declare } from './commands/command.ts';

/** What `dsg --help` says of a command, and where the rest is: read when it is called, not before. */
export interface Listed {
  readonly name: string;
  /** As in `<input...>`; empty for none. */
  readonly operands: string;
  readonly summary: string;
  readonly load: () => Promise<Declare>;
}

export const commands: readonly Listed[] = [
  {
    name: 'restore',
    operands: '<input...>',
    summary: 'Restore measurements: images, folders of them, or .npy files [3,H,W] in [-1,1].',
    load: async () => (await import('./commands/restore.ts')).restore,
  },
  {
    name: 'generate',
    operands: '',
    summary: 'Make new images: samples of what a model was trained on, or bent towards losses.',
    load: async () => (await import('./commands/generate.ts')).generate,
  },
  {
    name: 'degrade',
    operands: '<input...>',
    summary:
      'Make measurements of clean images: y = A(x) + noise, as `dsg restore --simulate` does.',
    load: async () => (await import('./commands/degrade.ts')).degrade,
  },
  {
    name: 'eval',
    operands: '<restored> <reference>',
    summary:
      'Score results against references: two images, or two folders matched by relative name.',
    load: async () => (await import('./commands/eval.ts')).evaluate,
  },
  {
    name: 'bench',
    operands: '<clean...>',
    summary: 'Degrade clean images, restore them in several ways, and score the results.',
    load: async () => (await import('./commands/bench.ts')).bench,
  },
  {
    name: 'demo',
    operands: '',
    summary: 'Restore a picture that comes with dsg in three ways, and compare them.',
    load: async () => (await import('./commands/demo.ts')).demo,
  },
  {
    name: 'report',
    operands: '<results>',
    summary: "Make one self-contained HTML file of a benchmark's results.json.",
    load: async () => (await import('./commands/report.ts')).report,
  },
  {
    name: 'summary',
    operands: '<folder>',
    summary: 'Tell what a folder of results holds, whichever runs or shards made them.',
    load: async () => (await import('./commands/summary.ts')).summary,
  },
  {
    name: 'import',
    operands: '<checkpoint>',
    summary: 'Make an ONNX model and its card from a PyTorch checkpoint, without Python.',
    load: async () => (await import('./commands/import.ts')).importModel,
  },
  {
    name: 'train',
    operands: '<data>',
    summary: 'Train an ε-model on a folder of images, or on generated shapes, without Python.',
    load: async () => (await import('./commands/train.ts')).train,
  },
  {
    name: 'differentiate',
    operands: '<model>',
    summary: "Write an ONNX model's vector-Jacobian product as an ONNX model.",
    load: async () => (await import('./commands/differentiate.ts')).differentiate,
  },
  {
    name: 'inspect',
    operands: '<model>',
    summary: 'Tell what an ONNX model takes and gives, and whether it can be differentiated.',
    load: async () => (await import('./commands/inspect.ts')).inspect,
  },
  {
    name: 'doctor',
    operands: '',
    summary:
      'Check what dsg can run on here: versions, GPUs, drivers, libraries, and what they compute.',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'cache',
    operands: '',
    summary: 'Show or clear the cache of derived graphs, which makes dsg start faster.',
    load: async () => (await import('./commands/cache.ts')).cache,
  },
  {
    name: 'completion',
    operands: '<shell>',
    summary: 'Print a completion script for a shell.',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  {
    name: 'help',
    operands: '[topic]',
    summary: 'Help on a command, on losses, or on exit-codes.',
    load: async () => (await import('./commands/help.ts')).help,
  },
];
