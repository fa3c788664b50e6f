/** Options as data: one row each, typed by what its kind parses. */
import { InvalidArgumentError, Option, type Command } from 'commander';

/** The groups of `--help`, in its order. */
const groups = [
  'Simple',
  'Losses',
  'Sampling',
  'Training',
  'Network',
  'Regression',
  'Output',
  'Advanced',
] as const;
export type Group = (typeof groups)[number];

/** What the text of an option may be. */
export interface Kind<T> {
  parse(text: string, previous?: T): T;
  /** Shown in help; empty where the flag's own placeholder says it all. */
  readonly range: string;
  readonly choices?: readonly string[];
}

/** An option without a default is undefined until it is given, so that a command can tell. */
export interface Row<T> {
  readonly flags: string;
  readonly group: Group;
  readonly about: string;
  readonly kind?: Kind<NonNullable<T>>;
  readonly value?: T;
  /** The default in words, where the command works it out. */
  readonly otherwise?: string;
  readonly required?: boolean;
}

export type Table = Readonly<Record<string, Row<unknown>>>;
export type Values<T extends Table> = {
  readonly [K in keyof T]: T[K] extends Row<infer V> ? V : never;
};

export function flag(flags: string, group: Group, about: string): Row<boolean> {
  return { flags, group, about, value: false };
}

/** @param otherwise what happens when it is left out, for the help */
export function option<T>(
  flags: string,
  group: Group,
  about: string,
  kind: Kind<T>,
  otherwise?: string,
): Row<T | undefined> {
  const row = { flags, group, about, kind: kind as Kind<NonNullable<T>> };
  return otherwise === undefined ? row : { ...row, otherwise };
}

export function optionWith<T>(
  flags: string,
  group: Group,
  about: string,
  kind: Kind<T>,
  value: T,
): Row<T> {
  return { flags, group, about, kind: kind as Kind<NonNullable<T>>, value };
}

export function requiredOption<T>(
  flags: string,
  group: Group,
  about: string,
  kind: Kind<T>,
): Row<T> {
  return { flags, group, about, kind: kind as Kind<NonNullable<T>>, required: true };
}

/** Declares a table's options on a command; the function that comes back reads them. */
export function addOptions<T extends Table>(command: Command, table: T): () => Values<T> {
  const names = new Map<string, string>();
  const rank = ([, row]: [string, Row<unknown>]): number => groups.indexOf(row.group);
  for (const [key, row] of Object.entries(table).sort((a, b) => rank(a) - rank(b))) {
    const made = new Option(row.flags, describe(row)).helpGroup(`${row.group}:`);
    const { kind } = row;
    if (kind?.choices) made.argChoices = [...kind.choices];
    if (kind)
      made.argParser((text: string, previous: unknown) => kind.parse(text, previous as never));
    if (row.required) made.makeOptionMandatory();
    names.set(key, made.attributeName());
    command.addOption(made);
  }
  return () => {
    const given: Record<string, unknown> = command.opts();
    const values = Object.entries(table).map(([key, row]) => {
      return [key, given[names.get(key) as string] ?? row.value];
    });
    return Object.fromEntries(values) as Values<T>;
  };
}

function describe({ about, kind, value, otherwise, required }: Row<unknown>): string {
  const initial = otherwise ?? (kind && value !== undefined ? String(value) : undefined);
  const facts = [
    kind?.range,
    initial === undefined ? undefined : `default: ${initial}`,
    required ? 'required' : undefined,
  ].filter(Boolean);
  return facts.length > 0 ? `${about} (${facts.join('; ')})` : about;
}

/** An integer from `min` to `max`. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  const kind = numeric(`an integer, ${range}`, range, (v) => {
    return Number.isSafeInteger(v) && v >= min && v <= max;
  });
  if (max < Number.MAX_SAFE_INTEGER) return kind;
  return {
    ...kind,
    parse(text) {
      if (Number(text) > max)
        throw new InvalidArgumentError(`Expected at most ${max}, up to which integers are exact.`);
      return kind.parse(text);
    },
  };
}

/** An integer from 1, or a word that leaves it to dsg. */
export function integerOr<const T extends string>(word: T): Kind<number | T> {
  const { range, parse } = integer(1);
  return { range: `${range}, or ${word}`, parse: (text) => (text === word ? word : parse(text)) };
}

/** A number from `min` to `max`. */
export function real(min: number, max = Infinity): Kind<number> {
  const range = max === Infinity ? `${min} or more` : `${min} to ${max}`;
  return numeric(`a number, ${range}`, range, (v) => v >= min && v <= max && v < Infinity);
}

/** A number above 0. */
export const positive: Kind<number> = numeric('a number above 0', 'above 0', (v) => {
  return v > 0 && v < Infinity;
});

function numeric(expected: string, range: string, fits: (v: number) => boolean): Kind<number> {
  return {
    range,
    parse(text) {
      const value = text.trim() === '' ? NaN : Number(text);
      if (!fits(value)) throw new InvalidArgumentError(`Expected ${expected}.`);
      return value;
    },
  };
}

export function choice<const T extends string>(choices: readonly T[]): Kind<T> {
  return {
    range: choices.join(', '),
    choices,
    parse(text) {
      const found = choices.find((c) => c === text);
      if (found === undefined)
        throw new InvalidArgumentError(`Expected one of ${choices.join(', ')}.`);
      return found;
    },
  };
}

/** Values separated by commas, none twice. */
export function listOf<T>(kind: Kind<T> | undefined): Kind<readonly T[]> {
  return {
    range: `${kind?.range ?? ''}, separated by commas`,
    parse(given) {
      const values = given.split(',').map((part) => kind?.parse(part.trim()) as T);
      if (new Set(values).size < values.length)
        throw new InvalidArgumentError('Expected every value once.');
      return values;
    },
  };
}

/** Any text: a path, a name. */
export const text: Kind<string> = { range: '', parse: (given) => given };

/** `NAME=SIZE`, given any number of times. */
export const dimensions: Kind<Readonly<Record<string, number>>> = {
  range: 'may be repeated',
  parse(given, previous = {}) {
    const [, name, size] = /^(.+)=([1-9]\d*)$/.exec(given) ?? [];
    if (!name || !size)
      throw new InvalidArgumentError('Expected NAME=SIZE with a positive integer, as in batch=1.');
    return { ...previous, [name]: Number(size) };
  },
};

/** A name, given any number of times. */
export const names: Kind<readonly string[]> = {
  range: 'may be repeated',
  parse: (given, previous = []) => [...previous, given],
};
