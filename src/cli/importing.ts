/** Makes a model of a checkpoint. */
import { importCheckpoint } from '../checkpoint/import.ts';
import { UserError } from '../errors.ts';
import type { ImportValues } from './commands/import.ts';
import type { Io } from './io.ts';
import { cardOverrides } from './model-card.ts';
import { refuseReplacedCard } from './replacing.ts';
import { openReport } from './report.ts';

/** @returns the exit code */
export async function importOne(checkpoint: string, values: ImportValues, io: Io): Promise<number> {
  const { heads, headChannels, output } = values;
  if (heads !== undefined && headChannels !== undefined)
    throw new UserError('--heads and --head-channels say the same thing', {
      hint: 'leave one out',
    });
  await refuseReplacedCard(values.cardFile, output);
  const report = openReport(io, { ...values, inputs: 1 });
  const { overrides, warnings } = await cardOverrides(values);
  const options = { ...values, card: overrides };
  const { files, card, bytes, notes } = await importCheckpoint(checkpoint, output, options);
  report.result(output, { checkpoint, files, card, bytes, notes });
  report.note(`${card.description ?? 'network'}: ${Math.ceil(bytes / 1e6)} MB of weights`);
  const { prediction, schedule } = card;
  if (prediction && schedule)
    report.note(`predicts ${prediction}; schedule ${schedule.name}, ${schedule.timesteps} steps`);
  for (const note of [...warnings, ...notes]) report.note(note);
  if (files.length > 1) report.note(`beside it: ${files.slice(1).join(', ')}; keep them together`);
  if (prediction) report.next(`dsg inspect ${output}`);
  report.end();
  return 0;
}
