/** Puts the sidecars of a folder together to the report of one run. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { fileFailure } from '../files/failure.ts';
import type { SummaryValues } from './commands/summary.ts';
import type { Io } from './io.ts';
import { filesOf, readSidecar, refuseDamaged } from './kept.ts';
import { openReport } from './report.ts';
import { lineOf } from './restored.ts';

/** @returns the exit code: 1 if some result is gone or damaged */
export async function summarize(
  [folder = '.']: readonly string[],
  { json }: SummaryValues,
  io: Io,
): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    throw fileFailure('read', folder, error);
  });
  const report = openReport(io, { json, quiet: false, inputs: 0 });
  for (const name of names.filter((n) => n.endsWith('.json')).sort()) {
    io.signal?.throwIfAborted();
    const file = path.join(folder, name);
    const sidecar = await readSidecar(file);
    if (!sidecar) continue;
    const files = filesOf(file, sidecar);
    try {
      await refuseDamaged(file, sidecar);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      report.failure(files.image, error);
      continue;
    }
    report.result(lineOf(files.image, sidecar), { ...sidecar, files }, sidecar.input.name);
  }
  report.end();
  const count = report.results() === 1 ? '1 result' : `${report.results()} results`;
  if (!json) io.stdout.write(`${count}\n`);
  return report.exitCode();
}
