/** The command line: parse, run, report, exit code. */
import { Command, Option } from 'commander';
import { UserError } from '../errors.ts';
import { fileFailure } from '../files/failure.ts';
import { commands, type Listed } from './commands.ts';
import { fail } from './errors.ts';
import { interruptible, painter, wantsColour, type Io } from './io.ts';
import { version } from './version.ts';

/**
 * Runs dsg with the arguments that follow `dsg` on a command line. Writes to `io` only, and keeps
 * no state between calls.
 * @returns the exit code, one of `exitCodes`
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let code = 0;
  const program = makeProgram(io, (finished) => (code = finished));
  try {
    refuseLostFolder();
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    return fail(error, io);
  }
}

/** A folder may be removed while a shell is in it; relative paths lead nowhere then. */
function refuseLostFolder(): void {
  try {
    process.cwd();
  } catch (cause) {
    throw new UserError('the current folder is no longer there', {
      cause,
      hint: 'change to one that is',
    });
  }
}

function makeProgram(io: Io, finish: (code: number) => void): Command {
  const program = new Command('dsg')
    .description('Restore and make images by guided diffusion sampling with any ONNX ε-model.')
    .version(version, '-V, --version', 'print the version')
    .helpCommand(false)
    .addHelpText(
      'after',
      '\n`dsg help COMMAND` tells more of a command; see also `dsg help losses`, `dsg help exit-codes`.',
    );
  const pending = new Map<Command, Listed['load']>();
  const complete = async (command: Command): Promise<void> => {
    const load = pending.get(command);
    if (!load) return;
    pending.delete(command);
    const declare = await load();
    declare(command, { io, finish, complete });
    settle(command, io);
  };
  for (const { name, operands, summary, load } of commands) {
    const command = new Command(name).summary(summary).description(summary);
    if (operands) command.arguments(operands);
    program.addCommand(command);
    pending.set(command, load);
  }
  program.hook('preSubcommand', (_, command) => complete(command));
  settle(program, io);
  return program;
}

/** Among the options of its command, which may be grouped. */
function helpOption({ options }: Command): Option {
  return new Option('-h, --help', 'print this help').helpGroup(
    options.some((o) => o.helpGroupHeading) ? 'Advanced:' : 'Options:',
  );
}

/** What all commands have in common: where they print, how wide, in which colours. */
function settle(command: Command, io: Io): void {
  const paint = painter(io.stdout, io.env);
  command
    .exitOverride()
    .addHelpOption(helpOption(command))
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => Math.min(io.stdout.columns ?? 100, 100),
      getErrHelpWidth: () => Math.min(io.stderr.columns ?? 100, 100),
      getOutHasColors: () => wantsColour(io.stdout, io.env),
      getErrHasColors: () => wantsColour(io.stderr, io.env),
      outputError: (text, write) =>
        write(text.replace(/^error:/, painter(io.stderr, io.env)('red', 'error:'))),
    })
    .configureHelp({
      styleTitle: (title) => paint('bold', title),
      // Range and default are part of it; commander would repeat them.
      optionDescription: ({ description }) => description,
      subcommandTerm: (each) => `${each.name()} ${each.usage()}`,
    });
  const path = command.parent ? `dsg ${command.name()}` : 'dsg';
  command.showHelpAfterError(`usage: ${path} ${command.usage()}\nhint: see \`${path} --help\``);
}

/**
 * The process's own streams; Ctrl-C, or the SIGTERM of a cluster engine, asks the command to stop,
 * and a second one, of either kind, ends it.
 */
export function processIo(): Io {
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const asking = ['SIGINT', 'SIGTERM'] as const;
  const stop = (): void => {
    for (const name of asking) process.removeListener(name, stop);
    interrupt.abort();
  };
  for (const name of asking) process.on(name, stop);
  const { stdout, stderr, env } = process;
  const io = { stdin: interruptible(process.stdin, signal), stdout, stderr, env, signal };
  for (const stream of [stdout, stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A reader that has seen enough, as `head` has, is no failure.
      if (error.code === 'EPIPE') return;
      // What is wrong with stderr cannot be said there; of stdout, nothing else is of use.
      const code = stream === stderr ? 1 : fail(fileFailure('write', 'standard output', error), io);
      process.exit(code);
    });
  return io;
}
