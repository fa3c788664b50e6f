/** The CSV file with a line for every step of a training run. */
import { appendFile, readFile } from 'node:fs/promises';
import { writeAtomic } from '../files/atomic.ts';
import { fileFailure } from '../files/failure.ts';
import type { StepResult } from '../training/trainer.ts';

export interface TrainingLog {
  /** @param bands mean loss of each quarter of the timesteps */
  add(result: StepResult, bands: readonly (number | undefined)[]): void;
  /** Appends what was added since the last time. */
  flush(): Promise<void>;
}

/**
 * Opens a log: a new one, or that of the steps before `from`.
 * @throws UserError if it cannot be written
 */
export async function openTrainingLog(
  file: string,
  names: readonly string[],
  from: number,
): Promise<TrainingLog> {
  const header = ['step', 'loss', ...names, 'gradient norm'].join(',');
  const before = from > 0 ? await readFile(file, 'utf8').catch(() => '') : '';
  const kept = before.split('\n').filter((line) => /^\d/.test(line) && parseInt(line, 10) < from);
  await writeAtomic(file, `${[header, ...kept].join('\n')}\n`);
  let lines: string[] = [];
  return {
    add({ step, loss, norm }, bands) {
      const numbers = [loss, ...bands, norm].map((v) => v?.toPrecision(6) ?? '');
      lines.push([step, ...numbers].join(','));
    },
    async flush() {
      if (lines.length === 0) return;
      try {
        await appendFile(file, `${lines.join('\n')}\n`);
      } catch (error) {
        throw fileFailure('write', file, error);
      }
      lines = [];
    },
  };
}
