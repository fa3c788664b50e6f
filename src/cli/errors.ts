/** What a failure prints, and the exit code it ends with. */
import { CommanderError } from 'commander';
import { UserError } from '../errors.ts';
import { painter, type Io } from './io.ts';

export const exitCodes = [
  { code: 0, meaning: 'done' },
  {
    code: 1,
    meaning: 'something to put right: a bad option, file or model; or some images failed',
  },
  { code: 2, meaning: 'a defect of dsg, printed with its stack' },
  { code: 3, meaning: 'quality fell short of --min, --max or --baseline' },
  { code: 130, meaning: 'interrupted (Ctrl-C); finished images stay' },
] as const;

/** Prints an error as it deserves and returns the exit code. */
export function fail(error: unknown, io: Io): number {
  const paint = painter(io.stderr, io.env);
  const say = (line: string): unknown => io.stderr.write(`${line}\n`);
  // Commander has printed its message and usage, or help, by now.
  if (error instanceof CommanderError) return error.exitCode;
  if (isInterruption(error, io.signal)) {
    say(`${paint('yellow', 'interrupted:')} images finished before stay`);
    return 130;
  }
  if (error instanceof UserError) {
    printUserError(error, io);
    return 1;
  }
  say(`${paint('red', 'error:')} ${error instanceof Error ? (error.stack ?? error) : error}`);
  say(`${paint('cyan', 'hint:')} this is a defect of dsg; please report it with what is above`);
  return 2;
}

/** Whether an error is the interruption itself, or follows from it; others may come after it, as of a full disk. */
function isInterruption(error: unknown, signal: AbortSignal | undefined): boolean {
  if (!signal?.aborted) return false;
  if (error === signal.reason) return true;
  return (
    error instanceof Error && (error.name === 'AbortError' || isInterruption(error.cause, signal))
  );
}

/** `error: ...` and `hint: ...`, a line each; `where` goes before a message that does not name it. */
export function printUserError(error: UserError, io: Io, where?: string): void {
  const paint = painter(io.stderr, io.env);
  io.stderr.write(`${paint('red', 'error:')} ${located(error, where)}\n`);
  if (error.hint) io.stderr.write(`${paint('cyan', 'hint:')} ${error.hint}\n`);
}

/** The message, with the file it is about. */
export function located({ message }: UserError, where: string | undefined): string {
  return where === undefined || message.includes(where) ? message : `${where}: ${message}`;
}
