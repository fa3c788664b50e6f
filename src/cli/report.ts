/** What a command says of its results: lines for people, or one JSON document. */
import type { UserError } from '../errors.ts';
import { located, printUserError } from './errors.ts';
import { painter, type Io } from './io.ts';

export interface Report {
  /** A result: a line on stdout, or an entry of the document, whose entries go by `name`. */
  result(line: string, entry: object, name?: string): void;
  /** A result of an earlier run, which the document has as well. */
  kept(entry: object, name: string): void;
  /** An input that failed while others go on. */
  failure(input: string, error: UserError): void;
  /** Something worth knowing, on stderr unless quiet. */
  note(text: string): void;
  /** A last hint on stderr, unless quiet. */
  next(text: string): void;
  /** Prints the document, and what failed. */
  end(): void;
  /** How many results were made by now. */
  results(): number;
  /** 1 if an input failed. */
  exitCode(): number;
}

interface Failure {
  readonly input: string;
  readonly error: string;
  readonly hint?: string;
}

/** @param before called before anything is printed, so that a progress bar can make room */
export function openReport(
  io: Io,
  options: { readonly json: boolean; readonly quiet: boolean; readonly inputs: number },
  before: () => void = () => {},
): Report {
  const paint = painter(io.stderr, io.env);
  const results: { readonly name: string; readonly entry: object }[] = [];
  let count = 0;
  const failures: Failure[] = [];
  const aside = (text: string): void => {
    if (options.quiet) return;
    before();
    io.stderr.write(`${text}\n`);
  };
  return {
    result(line, entry, name = '') {
      count++;
      if (options.json) return void results.push({ name, entry });
      before();
      io.stdout.write(`${line}\n`);
    },
    kept(entry, name) {
      if (options.json) results.push({ name, entry });
    },
    failure(input, error) {
      const { hint } = error;
      failures.push({
        input,
        error: located(error, input),
        ...(hint === undefined ? {} : { hint }),
      });
      before();
      printUserError(error, io, input);
    },
    note: (text) => aside(text),
    next: (text) => aside(`${paint('cyan', 'next:')} ${text}`),
    end() {
      before();
      if (options.json) {
        const sorted = results.toSorted(
          (a, b) => Number(a.name > b.name) - Number(a.name < b.name),
        );
        const document = { schema: 1, results: sorted.map((r) => r.entry), failures };
        io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
      }
      if (failures.length > 0 && options.inputs > 1) {
        const names = failures.map((f) => f.input).join(', ');
        const count = `${failures.length} of ${options.inputs} images failed`;
        io.stderr.write(`${paint('red', 'error:')} ${count}: ${names}\n`);
      }
    },
    results: () => count,
    exitCode: () => (failures.length > 0 ? 1 : 0),
  };
}
