/** Changes fields of a card by name, as flags do. */
import { UserError } from '../errors.ts';
import { cardFile, type CardFile } from './card.ts';
import { isRecord, validCard } from './read.ts';

/** Values by field; a dot reaches into a field: `schedule.name`, `conditioning.y`. */
export type CardOverrides = Readonly<Record<string, unknown>>;

/**
 * A card with some fields changed.
 * @throws UserError for a field that cards do not have, or a value that it cannot have
 */
export function overrideCard(card: CardFile, overrides: CardOverrides): CardFile {
  const changed: Record<string, unknown> = { ...card };
  const paths = Object.entries(overrides).map(([path, value]) => ({ ...split(path), path, value }));
  for (const { field, part, path, value } of paths) {
    if (!(field in cardFile.shape))
      throw new UserError(`card: no field '${path}'`, {
        hint: `there are: ${Object.keys(cardFile.shape).join(', ')}`,
      });
    if (part === undefined) changed[field] = value;
  }
  if (paths.some((p) => p.field === 'schedule' && p.part !== undefined))
    changed['schedule'] = scheduleBefore(changed['schedule'], overrides['schedule.name']);
  for (const { field, part, value } of paths) {
    if (part === undefined) continue;
    changed[field] = { ...(isRecord(changed[field]) ? changed[field] : {}), [part]: value };
  }
  const valid = validCard(changed, 'card');
  for (const { field, part, path } of paths) {
    const holder = valid[field as keyof CardFile];
    if (part !== undefined && !(isRecord(holder) && part in holder))
      throw new UserError(`card: no field '${path}'`);
  }
  return valid;
}

/** The schedule that parts are put into: the ends of one mean nothing to another. */
function scheduleBefore(known: unknown, name: unknown): Record<string, unknown> {
  const before = { name: 'linear', timesteps: 1000, ...(isRecord(known) ? known : {}) };
  if (name === undefined || name === before.name) return before;
  return { timesteps: before.timesteps };
}

/** At the first dot: names of inputs may hold more of them. */
function split(path: string): { field: string; part: string | undefined } {
  const dot = path.indexOf('.');
  if (dot < 0) return { field: path, part: undefined };
  return { field: path.slice(0, dot), part: path.slice(dot + 1) };
}
