/** Batches of images. */

import { expect, test } from 'vitest';
import {
  along,
  firstNonFinite,
  imageAt,
  imageNorms,
  stack,
  unstack,
} from '../../src/tensor/batch.ts';
import { gaussian, noiseKey } from '../../src/tensor/noise.ts';
import { tensor, zeros } from '../../src/tensor/tensor.ts';

const images = [0, 1, 2].map((step) => gaussian(noiseKey(0, 'batch'), 'sample', step, [3, 4, 5]));

test('unstack undoes stack', () => {
  const batch = stack(images);
  expect(batch.shape).toEqual([3, 3, 4, 5]);
  expect(unstack(batch)).toEqual(images);
});

test('stack copies, imageAt does not', () => {
  const batch = stack([zeros([1, 2]), zeros([1, 2])]);
  imageAt(batch, 1).data[0] = 5;
  expect([...batch.data]).toEqual([0, 0, 5, 0]);
});

test('what cannot be stacked or taken is refused', () => {
  expect(() => stack([])).toThrow('no images');
  expect(() => stack([zeros([1, 2]), zeros([2, 1])])).toThrow(
    'image 1 has shape [2,1], image 0 has [1,2]',
  );
  for (const i of [-1, 3, NaN])
    expect(() => imageAt(stack(images), i)).toThrow(`no image ${i} in a batch [3,3,4,5]`);
});

test('norms are those of the images alone, in float64', () => {
  const norms = imageNorms(stack(images));
  expect([...norms]).toEqual(images.map((image) => Math.hypot(...image.data)).map(closeTo));
  // A float32 sum of 2^24 stays what it is when quarters are added.
  const data = new Float32Array(4097).fill(0.5).fill(4096, 0, 1);
  expect(imageNorms(tensor([1, 4097], data))[0]).toBe(Math.sqrt(2 ** 24 + 1024));
});

test('a direction is followed as far as each image says', () => {
  const x = tensor([2, 1, 2], Float32Array.of(1, 2, 3, 4));
  const d = tensor([2, 1, 2], Float32Array.of(1, -1, 2, 0));
  const moved = along(x, d, (image) => [10, -0.5][image]!);
  expect(moved).toEqual(tensor([2, 1, 2], Float32Array.of(11, -8, 2, 4)));
  expect([...x.data]).toEqual([1, 2, 3, 4]);
});

test('the first value that is not finite', () => {
  const t = zeros([2, 3]);
  expect(firstNonFinite(t)).toBe(-1);
  t.data.set([-Infinity, NaN], 4);
  expect(firstNonFinite(t)).toBe(4);
});

function closeTo(v: number): number {
  return expect.closeTo(v, 10) as number;
}
