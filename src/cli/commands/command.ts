/** What every command is: its options, and what runs it. */
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { addOptions, type Table, type Values } from '../options.ts';

export interface Definition<T extends Table> {
  /** What its help says after its line in the list of commands. */
  readonly about?: string;
  readonly options: T;
  /** Each preceded by what it does. */
  readonly examples: readonly (readonly [does: string, line: string])[];
  /** @returns the exit code */
  readonly run: (operands: readonly string[], values: Values<T>, io: Io) => Promise<number>;
}

export interface Context {
  readonly io: Io;
  /** Takes the exit code. */
  readonly finish: (code: number) => void;
  /** Declares what there is to a command of the program beside its line in the list. */
  readonly complete: (command: Command) => Promise<void>;
}

/** Puts on a command, which has its name, operands and summary, whatever else there is to it. */
export type Declare = (command: Command, context: Context) => void;

export function defineCommand<T extends Table>(definition: Definition<T>): Declare {
  const { about, options, examples, run } = definition;
  return (command, { io, finish }) => {
    if (about !== undefined) command.description(`${command.summary()}\n\n${about}`);
    const read = addOptions(command, options);
    if (examples.length > 0) {
      const lines = examples.flatMap(([does, line]) => [`  # ${does}`, `  ${line}`]);
      command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
    }
    command.action(async () => finish(await run(command.args, read(), io)));
  };
}
