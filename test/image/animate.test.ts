/** What comes out of an animation: frames, order, time. */

import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { writeAnimation } from '../../src/image/animate.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawn } from '../helpers/images.ts';

const folder = temporaryFolder();
/** Frame k of n: dark to light, with a light left half. */
const frame = (k: number, n: number) =>
  drawn([3, 12, 20], (_, __, x) => (x < 10 ? 1 : (2 * k) / n - 1));

test('every frame is there, in order, for its time', async () => {
  const path = join(folder, 'a.webp');
  const n = 7;
  await writeAnimation(
    path,
    Array.from({ length: n }, (_, k) => frame(k, n)),
    70,
  );
  const file = sharp(path, { animated: true });
  const metadata = await file.metadata();
  expect(metadata).toMatchObject({ format: 'webp', width: 20, pages: n, pageHeight: 12, loop: 0 });
  expect(metadata.delay).toEqual(Array(n).fill(70));
  const pixels = await file.removeAlpha().raw().toBuffer();
  for (let k = 0; k < n; k++) {
    const line = (k * 12 + 6) * 20 * 3;
    expect(Math.abs(pixels[line + 5 * 3]! - 255)).toBeLessThan(12);
    expect(Math.abs(pixels[line + 15 * 3]! - (255 * k) / n)).toBeLessThan(12);
  }
});

test('equal frames in a row become one and keep their time', async () => {
  const path = join(folder, 'b.webp');
  await writeAnimation(
    path,
    [0, 1, 1, 1, 2].map((k) => frame(k, 3)),
    50,
  );
  const { delay = [] } = await sharp(path, { animated: true }).metadata();
  expect(delay).toEqual([50, 150, 50]);
});

test('more lines than one WebP frame may have', async () => {
  const path = join(folder, 'c.webp');
  const frames = Array.from({ length: 70 }, (_, k) =>
    drawn([3, 256, 8], () => (k % 2 ? 0.5 : -0.5)),
  );
  await writeAnimation(path, frames, 20);
  expect((await sharp(path, { animated: true }).metadata()).pages).toBe(70);
});

test('frames of different shapes are refused', () =>
  expect(
    writeAnimation(join(folder, 'd.webp'), [zeros([3, 2, 2]), zeros([3, 2, 3])], 20),
  ).rejects.toThrow('image 1 has shape [3,2,3]'));
