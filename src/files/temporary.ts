/** Folders for what is needed while a program runs. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { fileFailure } from './failure.ts';

/**
 * A new folder where the system keeps temporary files; whoever asks removes it.
 * @throws UserError if there is no such place, or nothing may be written there
 */
export async function temporaryFolder(prefix: string): Promise<string> {
  const place = tmpdir();
  try {
    return await mkdtemp(path.join(place, prefix));
  } catch (error) {
    const failure = fileFailure('write', place, error);
    if (!(failure instanceof UserError)) throw error;
    throw new UserError(`temporary files: ${failure.message}`, {
      cause: error,
      hint: 'name a folder for them in the environment: TMPDIR (on Windows, TEMP)',
    });
  }
}
