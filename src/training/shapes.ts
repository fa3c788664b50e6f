/** Coloured shapes, drawn by formula: labelled images without end, for training and for tests. */
import { UserError } from '../errors.ts';
import { noiseKey, uniforms } from '../tensor/noise.ts';
import { tensor, zeros, type Tensor } from '../tensor/tensor.ts';
import type { Dataset } from './dataset.ts';

/** Signed distance from the edge of a shape of radius about 1, negative inside. */
type Distance = (x: number, y: number) => number;

const disc: Distance = (x, y) => Math.hypot(x, y) - 0.9;
const bar: Distance = (x, y) => Math.max(Math.abs(x) - 0.3, Math.abs(y) - 0.95);
/** An equilateral one, point up. */
const triangle: Distance = (x, y) => Math.max(y, Math.abs(x) * 0.866 - y * 0.5) - 0.45;

/** In the order in which a number of classes takes them. */
const kinds: Readonly<Record<string, Distance>> = {
  circle: disc,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) - 0.75,
  triangle: (x, y) => triangle(x, y - 0.2),
  cross: (x, y) => Math.min(bar(x, y), bar(y, x)),
  ring: (x, y) => Math.max(disc(x, y), 0.5 - Math.hypot(x, y)),
  half: (x, y) => Math.max(disc(x, y + 0.4), -(y + 0.4)),
  star: (x, y) => Math.min(triangle(x, y), triangle(x, -y)),
  crescent: (x, y) => Math.max(disc(x, y), 0.75 - Math.hypot(x - 0.5, y)),
};

export const shapeNames = Object.keys(kinds);

/** Where a shape lies, in units of the image's side, and its colours. */
export interface Pose {
  readonly kind: string;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Radians. */
  readonly angle: number;
  /** Red, green and blue of shape and ground, in [-1,1]. */
  readonly colour: readonly number[];
  readonly ground: readonly number[];
}

/**
 * The n-th pose of a seed: anywhere that the shape is whole, turned a little, in any colour on a
 * darker ground.
 */
export function poseAt(seed: number, n: number, classes: number): Pose {
  const u = uniforms(noiseKey(seed, 'shapes'), 'sample', n, 10);
  const within = (i: number, low: number, high: number): number =>
    low + (high - low) * (u[i] as number);
  const radius = within(1, 0.25, 0.42);
  const light = within(5, 0.4, 1);
  return {
    kind: shapeNames[Math.floor((u[0] as number) * classes)] as string,
    radius,
    x: within(2, radius, 1 - radius),
    y: within(3, radius, 1 - radius),
    angle: within(4, -0.25, 0.25),
    colour: hue(within(6, 0, 6)).map((c) => 2 * light * c - 1),
    ground: [7, 8, 9].map((i) => within(i, -1, -0.6)),
  };
}

/** Red, green and blue of a saturated colour, the largest 1: `h` in 0..6 goes round the circle. */
function hue(h: number): number[] {
  return [0, 4, 2].map((from) => {
    const distance = Math.abs(((h + from) % 6) - 3);
    return Math.min(1, Math.max(0.15, distance - 1));
  });
}

/** The image `[3,size,size]` of a pose; edges cover their pixels by the distance from the middle. */
export function draw({ kind, x, y, radius, angle, colour, ground }: Pose, size: number): Tensor {
  const distance = kinds[kind] as Distance;
  const image = zeros([3, size, size]);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      const [dx, dy] = [(column + 0.5) / size - x, (row + 0.5) / size - y];
      const edge = distance((cos * dx + sin * dy) / radius, (cos * dy - sin * dx) / radius);
      const cover = Math.min(1, Math.max(0, 0.5 - edge * radius * size));
      for (let c = 0; c < 3; c++)
        image.data[(c * size + row) * size + column] =
          cover * (colour[c] as number) + (1 - cover) * (ground[c] as number);
    }
  return image;
}

/**
 * @param classes how many kinds there are
 * @throws UserError for more kinds than there are, or images too small to tell them apart
 */
export function shapes(options: {
  readonly size: number;
  readonly classes: number;
  readonly seed: number;
}): Dataset {
  const { size, classes, seed } = options;
  if (classes > shapeNames.length)
    throw new UserError(`${classes} kinds of shapes, there are ${shapeNames.length}`, {
      hint: shapeNames.join(', '),
    });
  const names = shapeNames.slice(0, classes);
  return {
    shape: [3, size, size],
    classes: names,
    identity: JSON.stringify({ shapes: classes, size, seed }),
    description: `generated ${names.join(', ')}`,
    at(step, count) {
      const poses = Array.from({ length: count }, (_, i) =>
        poseAt(seed, step * count + i, classes),
      );
      const data = new Float32Array(count * 3 * size * size);
      poses.forEach((pose, i) => data.set(draw(pose, size).data, i * 3 * size * size));
      return {
        x0: tensor([count, 3, size, size], data),
        labels: poses.map(({ kind }) => names.indexOf(kind)),
      };
    },
  };
}
