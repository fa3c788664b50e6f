import { describe, expect, it } from 'vitest';
import { droppedAt, mirroredAt, noiseAt, shuffled, timestepsAt } from '../../src/training/draws.ts';

const steps = Array.from({ length: 400 }, (_, i) => i);

describe('timesteps', () => {
  it('are uniform over the schedule, and spread over each batch', () => {
    const counts = new Array<number>(10).fill(0);
    for (const step of steps) {
      const t = timestepsAt(1, step, 20, 1000);
      expect(t.every((v) => Number.isInteger(v) && v >= 0 && v < 1000)).toBe(true);
      const tenths = t.map((v) => Math.floor(v / 100)).sort();
      expect(new Set(tenths).size).toBe(10);
      for (const tenth of tenths) counts[tenth] = (counts[tenth] as number) + 1;
    }
    for (const count of counts) expect(count).toBe(800);
  });

  it('fall on every single one in time', () => {
    const seen = new Set(steps.flatMap((step) => timestepsAt(1, step, 4, 100)));
    expect(seen.size).toBe(100);
  });
});

describe('labels', () => {
  it.each([0, 0.1, 0.5, 1])('are withheld with probability %d', (p) => {
    const labels = Array.from({ length: 25 }, (_, i) => i % 5);
    const dropped = steps.flatMap((step) => droppedAt(2, step, labels, { p, null: 9 }));
    const share = dropped.filter((label) => label === 9).length / dropped.length;
    expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / dropped.length) + 1e-9);
    dropped.forEach((label, i) => expect([9, labels[i % 25]]).toContain(label));
  });
});

describe('the order of images', () => {
  it('shows each once an epoch, in an order of its own', () => {
    const position = shuffled(3, 50);
    const epoch = (e: number): number[] =>
      Array.from({ length: 50 }, (_, i) => position(50 * e + i));
    const sorted = (list: number[]): number[] => list.toSorted((a, b) => a - b);
    const all = Array.from({ length: 50 }, (_, i) => i);
    for (const e of [0, 1, 7]) expect(sorted(epoch(e))).toEqual(all);
    expect(epoch(0)).not.toEqual(epoch(1));
    expect(epoch(0)).not.toEqual(all);
    expect(epoch(0)).toEqual(epoch(0));
  });

  it('leaves every image its share of places', () => {
    const first = Array.from({ length: 600 }, (_, e) => shuffled(3, 3)(3 * e));
    for (const i of [0, 1, 2]) {
      const share = first.filter((p) => p === i).length / 600;
      expect(Math.abs(share - 1 / 3)).toBeLessThan(0.08);
    }
  });
});

it('noise and mirrors differ from step to step, seed to seed, and not from call to call', () => {
  const shape = [2, 3, 4, 4];
  expect(noiseAt(1, 0, shape)).toEqual(noiseAt(1, 0, shape));
  expect(noiseAt(1, 0, shape)).not.toEqual(noiseAt(1, 1, shape));
  expect(noiseAt(1, 0, shape)).not.toEqual(noiseAt(2, 0, shape));
  const mirrored = steps.flatMap((step) => mirroredAt(1, step, 4)).filter(Boolean).length;
  expect(Math.abs(mirrored - 800)).toBeLessThan(80);
});
