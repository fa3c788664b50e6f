/** Progress of training on stderr: a bar on a terminal, elsewhere a line per tenth. */
import { openBar } from './bar.ts';
import type { Io } from './io.ts';
import { showDuration } from './progress.ts';

export interface TrainingProgress {
  /** @param means of the loss, whole and by noise level */
  step(done: number, means: readonly (number | undefined)[]): void;
  /** Takes the bar away, so that something can be printed. */
  stop(): void;
}

export function openTrainingProgress(
  io: Io,
  options: {
    readonly steps: number;
    /** Steps of an earlier run. */
    readonly began: number;
    /** Of the noise levels. */
    readonly names: readonly string[];
    readonly quiet: boolean;
  },
): TrainingProgress {
  const { steps, began, names, quiet } = options;
  if (quiet) return { step() {}, stop() {} };
  const bar = io.stderr.isTTY ? openBar(io, '[{bar}] step {value}/{total}  {facts}') : undefined;
  const since = performance.now();
  const tenth = (n: number): number => Math.floor((10 * n) / steps);
  return {
    step(done, [loss, ...levels]) {
      const perSecond = (1000 * (done - began)) / (performance.now() - since);
      const facts = [
        `loss ${number(loss)}`,
        names.map((name, i) => `${name} ${number(levels[i])}`).join(' '),
        `${perSecond.toPrecision(3)} steps/s`,
        `ETA ${showDuration((steps - done) / perSecond)}`,
      ].join('  ');
      if (bar) bar.draw(done, steps, { facts });
      else if (tenth(done) !== tenth(done - 1))
        io.stderr.write(`step ${done}/${steps}  ${facts}\n`);
    },
    stop: () => bar?.clear(),
  };
}

const number = (v: number | undefined): string => (v === undefined ? '?' : v.toPrecision(3));
