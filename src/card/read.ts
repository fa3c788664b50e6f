/** Reads the card beside a model. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { UserError } from '../errors.ts';
import { cardFile, type CardFile } from './card.ts';

/** Where the card of `model.onnx` lies: `model.card.json`. */
export function cardPath(modelFile: string): string {
  return `${modelFile.replace(/\.onnx$/i, '')}.card.json`;
}

/**
 * The card beside a model, empty if there is none, and a warning for each field it does not know.
 * @throws UserError for a card that is not JSON, or a field with a value it cannot have
 */
export async function readCard(modelFile: string): Promise<{ card: CardFile; warnings: string[] }> {
  const file = cardPath(modelFile);
  if (!existsSync(file)) return { card: {}, warnings: [] };
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new UserError(`${file}: not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = cardFile.safeParse(content);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((i) => `${i.path.join('.') || 'card'}: ${i.message}`);
    throw new UserError(`${file}: ${issues.join('; ')}`);
  }
  const known = new Set(Object.keys(cardFile.shape));
  const warnings = Object.keys(content as object)
    .filter((key) => !known.has(key))
    .map((key) => `${file}: unknown field '${key}' is ignored`);
  return { card: parsed.data, warnings };
}
