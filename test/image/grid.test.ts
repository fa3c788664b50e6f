/** Pictures made of pictures. */

import { expect, test } from 'vitest';
import { grid } from '../../src/image/grid.ts';
import { drawn } from '../helpers/images.ts';

/** The first channel as digits: 0 for -1, 8 for 1. */
function show(image: ReturnType<typeof grid>): string[] {
  const [, height = 0, width = 0] = image.shape;
  return Array.from({ length: height }, (_, y) =>
    [...image.data.subarray(y * width, (y + 1) * width)].map((v) => v * 4 + 4).join(''),
  );
}

const flat = (value: number, height: number, width: number) =>
  drawn([3, height, width], (c) => (value + c - 4) / 4);

test('rows and columns, smaller images centred, gaps white, missing images too', () => {
  const picture = grid(
    [[flat(1, 2, 2), flat(2, 2, 3)], [flat(3, 1, 1), flat(4, 3, 1)], [flat(5, 1, 2)]],
    1,
  );
  expect(picture.shape).toEqual([3, 10, 8]);
  expect(show(picture)).toEqual([
    '88888888',
    '81182228',
    '81182228',
    '88888888',
    '88888488',
    '83888488',
    '88888488',
    '88888888',
    '85588888',
    '88888888',
  ]);
});

test('without a gap, one image is itself, in all channels', () => {
  const image = flat(1, 3, 2);
  expect(grid([[image]], 0)).toEqual(image);
});
