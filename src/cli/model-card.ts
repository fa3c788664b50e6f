/** The options that say what a model's card leaves out. */
import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { CardFile } from '../card/card.ts';
import { overrideCard, type CardOverrides } from '../card/override.ts';
import { readCardFile } from '../card/read.ts';
import { UserError } from '../errors.ts';
import { option, text, type Kind, type Values } from './options.ts';

/** `FIELD=VALUE`, given any number of times; a value is JSON, or text where a text is wanted. */
const fields: Kind<CardOverrides> = {
  range: 'may be repeated',
  parse(given, previous = {}) {
    const [, field, value] = /^([^=]+)=(.+)$/s.exec(given) ?? [];
    if (field === undefined || value === undefined)
      throw new InvalidArgumentError('Expected FIELD=VALUE, as in prediction=v.');
    return { ...previous, [field]: fitting(field, value) };
  },
};

/** A card in which every part of a field has what else the field must have; the model's own comes later. */
const complete: CardFile = {
  classes: { input: 'y', count: 1 },
  latent: { factor: 8, scaling: 1 },
};

function fitting(field: string, value: string): unknown {
  const readings = [...json(value), value];
  let refusal = '';
  for (const reading of readings) {
    try {
      overrideCard(complete, { [field]: reading });
      return reading;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refusal ||= [error.message, error.hint].filter(Boolean).join('; ');
    }
  }
  throw new InvalidArgumentError(refusal);
}

function json(value: string): unknown[] {
  try {
    return [JSON.parse(value)];
  } catch {
    return [];
  }
}

export const cardOptions = {
  card: option(
    '--card <field=value>',
    'Advanced',
    "a field of the model's card, as in prediction=v, schedule.name=cosine, conditioning.y=207",
    fields,
    "the card's, or what is inferred",
  ),
  cardFile: option(
    '--card-file <file>',
    'Advanced',
    'JSON whose fields count more than those of the card beside the model',
    text,
  ),
} as const;

/** What sidecars have of them, beside the card that they come to; nothing where nothing was said. */
export function recordCard({ card, cardFile }: Values<typeof cardOptions>): object {
  return {
    ...(card && { card }),
    ...(cardFile !== undefined && { cardFile: path.basename(cardFile) }),
  };
}

/** Flags count more than the file of `--card-file`. */
export async function cardOverrides({
  card,
  cardFile,
}: Values<typeof cardOptions>): Promise<{ overrides: CardOverrides; warnings: readonly string[] }> {
  if (cardFile === undefined) return { overrides: card ?? {}, warnings: [] };
  const read = await readCardFile(cardFile);
  return { overrides: { ...read.card, ...card }, warnings: read.warnings };
}
