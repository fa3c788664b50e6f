/** The commands, in the order of `dsg --help`. A new one is a file in commands/ and a line here. */
import type { MakeCommand } from './commands/command.ts';
import { bench } from './commands/bench.ts';
import { cache } from './commands/cache.ts';
import { completion } from './commands/completion.ts';
import { degrade } from './commands/degrade.ts';
import { demo } from './commands/demo.ts';
import { differentiate } from './commands/differentiate.ts';
import { doctor } from './commands/doctor.ts';
import { evaluate } from './commands/eval.ts';
import { generate } from './commands/generate.ts';
import { help } from './commands/help.ts';
import { importModel } from './commands/import.ts';
import { inspect } from './commands/inspect.ts';
import { report } from './commands/report.ts';
import { restore } from './commands/restore.ts';
import { summary } from './commands/summary.ts';
import { train } from './commands/train.ts';

export const commands: readonly MakeCommand[] = [
  restore,
  generate,
  degrade,
  evaluate,
  bench,
  demo,
  report,
  summary,
  importModel,
  train,
  differentiate,
  inspect,
  doctor,
  cache,
  completion,
  help,
];
