/** `dsg help`: a command's help, or a topic. */
import type { Command } from 'commander';
import { exitCodes } from '../errors.ts';
import { lossHelp } from '../loss-help.ts';
import type { Declare } from './command.ts';

const topics: Readonly<Record<string, () => string>> = {
  'exit-codes': () =>
    exitCodes.map(({ code, meaning }) => `${String(code).padStart(3)}  ${meaning}\n`).join(''),
  losses: lossHelp,
};

export const help: Declare = (command, { io, finish, complete }) => {
  command.action(async (topic: string | undefined) => {
    const program = command.parent as Command;
    const subject = topic === undefined ? program : findCommand(program, topic);
    const page = topics[topic ?? '']?.();
    if (page !== undefined) io.stdout.write(page);
    else if (subject) {
      if (subject !== program) await complete(subject);
      subject.outputHelp();
    } else {
      const all = [...program.commands.map((c) => c.name()), ...Object.keys(topics)].join(', ');
      command.error(`error: no help on '${topic}'; there is help on ${all}`);
    }
    finish(0);
  });
};

function findCommand(program: Command, name: string): Command | undefined {
  return program.commands.find((c) => c.name() === name);
}
