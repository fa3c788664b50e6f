/** A progress bar on a terminal. */
import { SingleBar } from 'cli-progress';
import type { Io } from './io.ts';

export interface Bar {
  /** @param words what stands for `{name}` in the format, by name */
  draw(done: number, total: number, words: Readonly<Record<string, string>>): void;
  /** Takes it away, so that something can be printed; drawn again it is back. */
  clear(): void;
}

/** @param format with `{bar}`, `{value}`, `{total}` and names of its own */
export function openBar(io: Io, format: string): Bar {
  const bar = new SingleBar({
    format,
    stream: io.stderr as NodeJS.WritableStream & Io['stderr'],
    barsize: 12,
    hideCursor: true,
    clearOnComplete: true,
    linewrap: true,
    // Ctrl-C is handled where it can still save and report what was finished.
    gracefulExit: false,
  });
  let drawn = false;
  return {
    draw(done, total, words) {
      if (drawn) {
        bar.setTotal(total);
        bar.update(done, words);
      } else bar.start(total, done, words);
      drawn = true;
    },
    clear() {
      if (drawn) bar.stop();
      drawn = false;
    },
  };
}
