/** Published ways to guide by a loss, read from configs/guidance.json. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UserError } from '../errors.ts';

const share = z.number().min(0).max(1);
const recipe = z.strictObject({
  /** What for. */
  about: z.string().min(1),
  source: z.string().min(1),
  /** The count that the values are meant for. */
  steps: z.int().positive(),
  eta: share.optional(),
  method: z.enum(['dsg', 'dps', 'freedom', 'ugd']),
  rate: share.optional(),
  interval: z.int().positive().optional(),
  stepSize: z.number().nonnegative().optional(),
  stepRule: z.enum(['relative', 'signal']).optional(),
  guideFrom: share.optional(),
  guideTo: share.optional(),
  timeTravel: z.int().positive().optional(),
  travelFrom: share.optional(),
  travelTo: share.optional(),
});

export type Recipe = z.infer<typeof recipe>;

let known: Record<string, Recipe> | undefined;

/** All of them by name. */
export function recipes(): Readonly<Record<string, Recipe>> {
  const url = new URL('../../configs/guidance.json', import.meta.url);
  known ??= z.record(z.string(), recipe).parse(JSON.parse(readFileSync(url, 'utf8')));
  return known;
}

/** @throws UserError for a name that is not in the file */
export function recipeOf(name: string): Recipe {
  const all = recipes();
  const found = Object.hasOwn(all, name) ? all[name] : undefined;
  if (found) return found;
  throw new UserError(`no guidance recipe '${name}'`, {
    hint: `one of: ${Object.keys(all).join(', ')}`,
  });
}
