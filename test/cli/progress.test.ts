import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { openProgress, showDuration, type Progress } from '../../src/cli/progress.ts';

/** A stream that keeps what it is given, a terminal or not. */
function recorder(terminal: boolean): { io: Io; text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      text += chunk.toString();
      done();
    },
  });
  const stderr = Object.assign(stream, { isTTY: terminal, columns: 100 });
  return { io: { stdout: stderr, stderr, env: {} }, text: () => text };
}

function twoBatches(progress: Progress, steps: number): void {
  for (const batch of [
    { first: 0, size: 2 },
    { first: 2, size: 1 },
  ]) {
    progress.start(batch);
    for (let done = 1; done <= steps; done++)
      progress.step(done, done === 1 ? undefined : 10 / done);
    progress.stop();
  }
}

describe('off a terminal', () => {
  it('prints a line per tenth of a batch', () => {
    const { io, text } = recorder(false);
    twoBatches(openProgress(io, { images: 3, steps: 100, batch: 2, quiet: false }), 100);
    const lines = text().trimEnd().split('\n');
    expect(lines).toHaveLength(20);
    expect(lines[0]).toMatch(
      /^images 1-2 of 3 {2}step 10\/100 {2}loss 1\.000 {2}\d+\.\d\d s\/step {2}ETA \d+ s$/,
    );
    expect(lines[19]).toMatch(/^image 3 of 3 {2}step 100\/100 {2}loss 0\.1000 {2}.* ETA 0 s$/);
  });

  it('prints a line per step where there are fewer than ten', () => {
    const { io, text } = recorder(false);
    twoBatches(openProgress(io, { images: 3, steps: 4, batch: 2, quiet: false }), 4);
    expect(text().trimEnd().split('\n')).toHaveLength(8);
    expect(text()).toMatch(/^images 1-2 of 3 {2}step 1\/4 {2}\d/);
  });
});

describe('on a terminal', () => {
  it('draws a bar and takes it away', () => {
    const { io, text } = recorder(true);
    twoBatches(openProgress(io, { images: 3, steps: 4, batch: 2, quiet: false }), 4);
    expect(text()).toContain('images 1-2 of 3 [');
    expect(text()).toContain('image 3 of 3 [');
    expect(text()).toMatch(/step 4\/4 {2}loss 2\.500 {2}\d+\.\d\d s\/step {2}ETA 0 s/);
    // The last that happens is that the line is cleared.
    expect(text().endsWith('\u001B[2K')).toBe(true);
  });

  it('can be stopped before it began', () => {
    const { io, text } = recorder(true);
    openProgress(io, { images: 1, steps: 4, batch: 1, quiet: false }).stop();
    expect(text()).toBe('');
  });
});

it('says nothing when quiet', () => {
  for (const terminal of [true, false]) {
    const { io, text } = recorder(terminal);
    twoBatches(openProgress(io, { images: 3, steps: 4, batch: 2, quiet: true }), 4);
    expect(text()).toBe('');
  }
});

it.each([
  [0.4, '0 s'],
  [59.4, '59 s'],
  [190, '3 min 10 s'],
  [7500, '2 h 5 min'],
])('%d seconds are %s', (seconds, text) => expect(showDuration(seconds)).toBe(text));
