/** What every command is: a name, its options, and what runs it. */
import { Command } from 'commander';
import type { Io } from '../io.ts';
import { addOptions, type Table, type Values } from '../options.ts';

export interface Definition<T extends Table> {
  readonly name: string;
  /** As in `<input...>`; empty for none. */
  readonly operands: string;
  readonly about: string;
  readonly options: T;
  /** Each preceded by what it does. */
  readonly examples: readonly (readonly [does: string, line: string])[];
  /** @returns the exit code */
  readonly run: (operands: readonly string[], values: Values<T>, io: Io) => Promise<number>;
}

/** Puts a command together; its exit code goes to `finish`. */
export type MakeCommand = (io: Io, finish: (code: number) => void) => Command;

export function defineCommand<T extends Table>(definition: Definition<T>): MakeCommand {
  const { name, operands, about, options, examples, run } = definition;
  return (io, finish) => {
    const command = new Command(name).summary(summary(about)).description(about);
    if (operands) command.arguments(operands);
    const read = addOptions(command, options);
    if (examples.length > 0) {
      const lines = examples.flatMap(([does, line]) => [`  # ${does}`, `  ${line}`]);
      command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
    }
    return command.action(async () => finish(await run(command.args, read(), io)));
  };
}

/** The first line, as the list of commands shows it. */
function summary(about: string): string {
  return about.split('\n')[0] as string;
}
