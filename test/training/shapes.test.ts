import { describe, expect, it } from 'vitest';
import { imageAt } from '../../src/tensor/batch.ts';
import { draw, poseAt, shapeNames, shapes, type Pose } from '../../src/training/shapes.ts';

/** White on black, in the middle. */
const plain = (kind: string, changes: Partial<Pose> = {}): Pose => ({
  kind,
  x: 0.5,
  y: 0.5,
  radius: 0.4,
  angle: 0,
  colour: [1, 1, 1],
  ground: [-1, -1, -1],
  ...changes,
});

/** The share of the image that is covered. */
function area(pose: Pose, size: number): number {
  const { data } = draw(pose, size);
  return data.reduce((sum, v) => sum + (v + 1) / 2, 0) / data.length;
}

describe('a shape', () => {
  const r = 0.4;
  it.each([
    ['circle', Math.PI * (0.9 * r) ** 2],
    ['square', (1.5 * r) ** 2],
    ['triangle', 3 * Math.sqrt(3) * (0.45 * r) ** 2],
    ['cross', (2 * 0.6 * 1.9 - 0.6 ** 2) * r * r],
    ['ring', Math.PI * (0.81 - 0.25) * r * r],
    ['half', (Math.PI / 2) * (0.9 * r) ** 2],
  ])('%s covers the area of its formula, at any size', (kind, expected) => {
    for (const size of [16, 32, 64])
      expect(Math.abs(area(plain(kind), size) / expected - 1)).toBeLessThan(0.04);
  });

  it.each(shapeNames)('%s moves and turns without changing its area', (kind) => {
    const whole = area(plain(kind), 32);
    const moved = plain(kind, { x: 0.46, y: 0.53, angle: 0.2 });
    expect(Math.abs(area(moved, 32) / whole - 1)).toBeLessThan(0.04);
  });

  it.each(shapeNames)('%s has soft edges, and its own colours elsewhere', (kind) => {
    const pose = plain(kind, { colour: [0.5, 0, -0.5], ground: [-1, -0.9, -0.8] });
    const { data } = draw(pose, 32);
    const red = [...data.subarray(0, 1024)];
    const inside = red.filter((v) => v === 0.5).length;
    const outside = red.filter((v) => v === -1).length;
    expect(inside).toBeGreaterThan(50);
    expect(outside).toBeGreaterThan(400);
    expect(1024 - inside - outside).toBeGreaterThan(20);
    expect(data[0]).toBe(-1);
    expect(data[1024]).toBeCloseTo(-0.9);
    expect(data[2048]).toBeCloseTo(-0.8);
  });
});

describe('poses', () => {
  const poses = Array.from({ length: 500 }, (_, n) => poseAt(0, n, 8));

  it('are of every kind alike, whole, and light on dark', () => {
    for (const name of shapeNames) {
      const count = poses.filter((p) => p.kind === name).length;
      expect(Math.abs(count - 62.5)).toBeLessThan(32);
    }
    for (const { x, y, radius, colour, ground } of poses) {
      for (const v of [x, y]) expect(Math.abs(v - 0.5) + radius).toBeLessThanOrEqual(0.5);
      expect(Math.max(...colour)).toBeGreaterThan(Math.max(...ground) + 0.3);
      for (const v of [...colour, ...ground]) expect(Math.abs(v)).toBeLessThanOrEqual(1);
    }
  });
});

describe('shapes', () => {
  it('are the images of a step, whatever was asked for before', () => {
    const data = shapes({ size: 16, classes: 3, seed: 4 });
    expect(data.classes).toEqual(['circle', 'square', 'triangle']);
    const { x0, labels } = data.at(2, 5);
    expect(x0.shape).toEqual([5, 3, 16, 16]);
    for (let i = 0; i < 5; i++) {
      const pose = poseAt(4, 10 + i, 3);
      expect(labels[i]).toBe(shapeNames.indexOf(pose.kind));
      expect([...imageAt(x0, i).data]).toEqual([...draw(pose, 16).data]);
    }
    expect(shapes({ size: 16, classes: 3, seed: 4 }).at(2, 5)).toEqual({ x0, labels });
    expect(shapes({ size: 16, classes: 3, seed: 5 }).at(2, 5)).not.toEqual({ x0, labels });
  });

  it('are of eight kinds at most', () => {
    expect(() => shapes({ size: 16, classes: 9, seed: 0 })).toThrow(
      '9 kinds of shapes, there are 8',
    );
  });
});
