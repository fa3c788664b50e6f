import { describe, expect, test } from 'vitest';
import { cut, paste, windowsOver } from '../../src/pipeline/windows.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { dot, randomTensor, relativeError } from '../helpers/random.ts';

const window = { height: 8, width: 8 };

describe.each([
  ['as large as one window', 8, 8, 2, 1],
  ['a pixel more', 9, 8, 2, 2],
  ['several, evenly spread', 30, 21, 3, 24],
  ['without overlap', 24, 16, 0, 6],
  ['an overlap larger than a window could have', 10, 8, 99, 3],
])('%s', (_, height, width, overlap, count) => {
  const canvas = { height, width };
  const windows = windowsOver(canvas, { window, overlap });

  test('lie within the canvas, no more of them than needed', () => {
    expect(windows).toHaveLength(count);
    for (const { top, left } of windows) {
      expect(Math.min(top, left)).toBeGreaterThanOrEqual(0);
      expect(top).toBeLessThanOrEqual(height - window.height);
      expect(left).toBeLessThanOrEqual(width - window.width);
    }
  });

  test('weights add up to one', () => {
    const x = randomTensor('x', [2, 3, height, width]);
    const sum = zeros(x.shape);
    for (const w of windows) paste(sum, cut(x, w, window), w, true);
    expect(relativeError(sum, x)).toBeLessThan(1e-6);
  });

  test('pasting is the adjoint of cutting', () => {
    const x = randomTensor('x', [2, 3, height, width]);
    for (const weighted of [false, true])
      for (const w of windows) {
        const part = randomTensor('part', [2, 3, 8, 8]);
        const back = zeros(x.shape);
        paste(back, part, w, weighted);
        expect(dot(cut(x, w, window, weighted), part)).toBeCloseTo(dot(x, back), 4);
      }
  });
});

test('a weight falls off towards its neighbour, not towards the edge of the canvas', () => {
  const [first, second] = windowsOver({ height: 8, width: 12 }, { window, overlap: 4 });
  const row = (w: typeof first): number[] => Array.from(w?.weights.subarray(0, 8) ?? []);
  expect(row(first)).toEqual([1, 1, 1, 1, 0.875, 0.625, 0.375, 0.125]);
  expect(row(second)).toEqual([0.125, 0.375, 0.625, 0.875, 1, 1, 1, 1]);
});
