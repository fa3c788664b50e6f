/** Progress on stderr: a bar on a terminal, elsewhere a line per tenth of a batch. */
import { SingleBar } from 'cli-progress';
import type { Io } from './io.ts';

export interface Batch {
  /** Position of its first image among all, from 0. */
  readonly first: number;
  readonly size: number;
}

export interface Progress {
  /** A batch begins. */
  start(batch: Batch): void;
  /** A step is done: how many of the batch's by now, and the largest loss where there is one. */
  step(done: number, loss: number | undefined): void;
  /** Takes the bar away, so that something can be printed. */
  stop(): void;
}

export interface ProgressOptions {
  readonly images: number;
  readonly steps: number;
  readonly quiet: boolean;
  /** Images a batch. */
  readonly batch: number;
}

export function openProgress(io: Io, options: ProgressOptions): Progress {
  if (options.quiet) return { start() {}, step() {}, stop() {} };
  return io.stderr.isTTY ? bar(io, options) : lines(io, options);
}

function bar(io: Io, options: ProgressOptions): Progress {
  const clock = stopwatch(options);
  const made = new SingleBar({
    format: '{images} [{bar}] step {value}/{total}{loss}  {pace}  ETA {left}',
    stream: io.stderr as NodeJS.WritableStream & Io['stderr'],
    barsize: 12,
    hideCursor: true,
    clearOnComplete: true,
    linewrap: true,
    // Ctrl-C is handled where it can still report what was finished.
    gracefulExit: false,
  });
  return {
    start(batch) {
      clock.start(batch);
      made.start(options.steps, 0, { images: of(batch, options), loss: '', pace: '', left: '?' });
    },
    step(done, loss) {
      const { pace, left } = clock.at(done);
      made.update(done, { loss: showLoss(loss), pace, left });
    },
    stop: () => made.stop(),
  };
}

function lines(io: Io, options: ProgressOptions): Progress {
  const clock = stopwatch(options);
  let images = '';
  return {
    start(batch) {
      clock.start(batch);
      images = of(batch, options);
    },
    step(done, loss) {
      const tenth = (n: number): number => Math.floor((10 * n) / options.steps);
      const { pace, left } = clock.at(done);
      if (tenth(done) === tenth(done - 1)) return;
      const where = `${images}  step ${done}/${options.steps}${showLoss(loss)}`;
      io.stderr.write(`${where}  ${pace}  ETA ${left}\n`);
    },
    stop() {},
  };
}

function of({ first, size }: Batch, { images }: ProgressOptions): string {
  if (size === 1) return `image ${first + 1} of ${images}`;
  return `images ${first + 1}-${first + size} of ${images}`;
}

function showLoss(loss: number | undefined): string {
  return loss === undefined ? '' : `  loss ${loss.toPrecision(4)}`;
}

/** Seconds a step, and what is left of the whole run at that pace. */
function stopwatch({ images, steps, batch }: ProgressOptions): {
  start(of: Batch): void;
  at(done: number): { pace: string; left: string };
} {
  let began = 0;
  let prepared = 0;
  let batchesAfter = 0;
  return {
    start({ first, size }) {
      began = performance.now();
      batchesAfter = Math.ceil((images - first - size) / batch);
    },
    at(done) {
      const now = performance.now();
      // The first step prepares the graphs, and says little of the others.
      if (done === 1) prepared = now;
      const perStep = done === 1 ? now - began : (now - prepared) / (done - 1);
      const left = (perStep / 1000) * (steps - done + batchesAfter * steps);
      return { pace: `${(perStep / 1000).toFixed(2)} s/step`, left: showDuration(left) };
    },
  };
}

/** `42 s`, `3 min 10 s`, `2 h 5 min`. */
export function showDuration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
