/** Reads cards: inside a model's metadata, beside the model, or any file. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { showIssues, UserError } from '../errors.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { cardFile, metadataKey, type CardFile } from './card.ts';

export interface ReadCard {
  readonly card: CardFile;
  /** A line for each field that is not known. */
  readonly warnings: readonly string[];
}

/** Where the card of `model.onnx` lies: `model.card.json`. */
export function cardPath(modelFile: string): string {
  return `${modelFile.replace(/\.onnx$/i, '')}.card.json`;
}

/**
 * What is known of a model: the card in its metadata, under `dsg.card`, with the fields of the one
 * beside it counting more. Empty if there is neither.
 * @throws UserError for a card that is not JSON, or a field with a value it cannot have
 */
export async function readCard(modelFile: string, model?: OnnxModel): Promise<ReadCard> {
  const inside = model?.proto.metadataProps.find((p) => p.key === metadataKey)?.value;
  const beside = cardPath(modelFile);
  const found = [
    ...(inside === undefined ? [] : [parseCard(inside, `${modelFile}: metadata ${metadataKey}`)]),
    ...(existsSync(beside) ? [await readCardFile(beside)] : []),
  ];
  return {
    card: Object.assign({}, ...found.map((f) => f.card)) as CardFile,
    warnings: found.flatMap((f) => f.warnings),
  };
}

/** The card in a file. @throws UserError as `readCard`, and for a file that cannot be read */
export async function readCardFile(file: string): Promise<ReadCard> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (cause) {
    throw new UserError(`${file}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  return parseCard(content, file);
}

function parseCard(text: string, where: string): ReadCard {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new UserError(`${where}: not JSON: ${(cause as Error).message}`, { cause });
  }
  const card = validCard(content, where);
  return {
    card,
    warnings: unknownFields(content, card).map(
      (field) => `${where}: unknown field '${field}' is ignored`,
    ),
  };
}

/** @throws UserError naming every field with a value it cannot have */
export function validCard(content: unknown, where: string): CardFile {
  const parsed = cardFile.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new UserError(`${where}: ${showIssues(parsed.error, 'card')}`);
}

/** What parsing left out, as dotted names; `$schema` is for editors. */
function unknownFields(given: unknown, known: unknown): string[] {
  if (!isRecord(given) || !isRecord(known)) return [];
  const fields = Object.entries(given).filter(([key]) => key !== '$schema');
  return fields.flatMap(([key, value]) =>
    key in known ? unknownFields(value, known[key]).map((rest) => `${key}.${rest}`) : [key],
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
