/** What a command talks to: the process's streams, or a test's. */
import { addAbortSignal, type Readable } from 'node:stream';
import { styleText } from 'node:util';

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Where a list of inputs may come from. */
  readonly stdin?: AsyncIterable<string | Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stops a command between two steps; what is finished by then stays. */
  readonly signal?: AbortSignal;
}

/**
 * What comes in over a stream, whose end nobody waits for once the signal is given.
 * @throws AbortError then, the stream being closed
 */
export async function* interruptible(
  stream: Readable,
  signal: AbortSignal,
): AsyncGenerator<string | Uint8Array> {
  yield* addAbortSignal(signal, stream);
}

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

/** Whether a stream wants colour: a terminal does, unless NO_COLOR (no-color.org) or TERM object. */
export function wantsColour(output: Output, env: Io['env']): boolean {
  return output.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

export function painter(output: Output, env: Io['env']): Paint {
  return wantsColour(output, env)
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_, text) => text;
}
