/** Writes while the next images are being restored, a bounded number at a time. */
import { UserError } from '../errors.ts';

export interface Writes {
  /** Starts a write, once fewer than the bound are under way. It must not reject. */
  add(write: () => Promise<void>): Promise<void>;
  /** Waits for all that were started. */
  done(): Promise<void>;
}

export function openWrites(most: number): Writes {
  const running = new Set<Promise<void>>();
  return {
    async add(write) {
      while (running.size >= most) await Promise.race(running);
      const started = write().finally(() => running.delete(started));
      running.add(started);
    },
    async done() {
      await Promise.all(running);
    },
  };
}

/** What may be wrong with one name in a folder that is otherwise sound. */
const ofOneFile = new Set(['ENAMETOOLONG', 'EEXIST', 'EISDIR', 'ENOTDIR', 'EACCES', 'EPERM']);

/** Whether a failed write concerns that file only: with a full disk, all others would fail too. */
export function concernsOneFile(error: unknown): error is UserError {
  if (!(error instanceof UserError)) return false;
  const { cause } = error;
  return cause instanceof Error && 'code' in cause && ofOneFile.has(cause.code as string);
}
