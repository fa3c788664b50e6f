/** Progress on stderr: a bar on a terminal, elsewhere a line per tenth of a batch. */
import { openBar } from './bar.ts';
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
  /** Takes the bar away, so that something can be printed; the next step brings it back. */
  stop(): void;
}

export interface ProgressOptions {
  readonly images: number;
  readonly steps: number;
  readonly quiet: boolean;
  /** Images a batch. */
  readonly batch: number;
  /** What they are called; image if left out. */
  readonly noun?: string;
}

export function openProgress(io: Io, options: ProgressOptions): Progress {
  return openLanes(io, { ...options, lanes: 1 })[0] as Progress;
}

/** A progress for each of several batches restored side by side; they share the bar. */
export function openLanes(
  io: Io,
  options: ProgressOptions & { readonly lanes: number },
): Progress[] {
  const { quiet, steps, lanes } = options;
  const silent = { start() {}, step() {}, stop() {} };
  const states = Array.from({ length: lanes }, (): State => ({ images: '', done: steps }));
  const show = io.stderr.isTTY ? shared(io, options, states) : undefined;
  return states.map((state) => {
    if (quiet) return silent;
    const clock = stopwatch(options);
    return {
      start(batch) {
        clock.start(batch);
        Object.assign(state, { images: of(batch, options), done: 0 });
        show?.draw('', { pace: '', left: '?' });
      },
      step(done, loss) {
        const pace = clock.at(done);
        const tenth = (n: number): number => Math.floor((10 * n) / steps);
        state.done = done;
        if (show) show.draw(showLoss(loss), pace);
        else if (tenth(done) !== tenth(done - 1))
          io.stderr.write(
            `${state.images}  step ${done}/${steps}${showLoss(loss)}  ${pace.pace}  ETA ${pace.left}\n`,
          );
      },
      stop: () => show?.clear(),
    };
  });
}

/** Where a lane's batch stands. */
interface State {
  images: string;
  done: number;
}

interface Pace {
  readonly pace: string;
  readonly left: string;
}

/** One bar for the batches under way. */
function shared(
  io: Io,
  { steps }: ProgressOptions,
  states: readonly State[],
): { draw(loss: string, pace: Pace): void; clear(): void } {
  const bar = openBar(io, '{images} [{bar}] step {value}/{total}{loss}  {pace}  ETA {left}');
  return {
    draw(loss, pace) {
      const active = states.filter((s) => s.images !== '');
      const [total, done] = [active.length * steps, active.reduce((n, s) => n + s.done, 0)];
      bar.draw(done, total, { images: active.map((s) => s.images).join(', '), loss, ...pace });
    },
    clear: () => bar.clear(),
  };
}

function of({ first, size }: Batch, { images, noun = 'image' }: ProgressOptions): string {
  if (size === 1) return `${noun} ${first + 1} of ${images}`;
  return `${noun}s ${first + 1}-${first + size} of ${images}`;
}

function showLoss(loss: number | undefined): string {
  return loss === undefined ? '' : `  loss ${loss.toPrecision(4)}`;
}

/** Seconds a step, and what is left of the whole run at that pace. */
function stopwatch({ images, steps, batch, lanes }: ProgressOptions & { lanes: number }): {
  start(of: Batch): void;
  at(done: number): Pace;
} {
  let began = 0;
  let prepared = 0;
  let batchesAfter = 0;
  return {
    start({ first, size }) {
      began = performance.now();
      batchesAfter = Math.ceil((images - first - size) / Math.max(batch, size) / lanes);
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
