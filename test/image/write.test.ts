/** Writing images: nothing is lost beyond 8 bits. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { readImage } from '../../src/image/read.ts';
import { encodeImage, toBytes, writeImage } from '../../src/image/write.ts';
import { IMAGE_FORMATS } from '../../src/image/formats.ts';
import { gaussian, noiseKey } from '../../src/tensor/noise.ts';
import { tensor, zeros } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawn } from '../helpers/images.ts';

const folder = temporaryFolder();

/** Every 8-bit value in every channel, and no two channels alike. */
const all = drawn([3, 16, 16], (c, y, x) => ((y * 16 + x + 85 * c) % 256) / 127.5 - 1);

describe.each(IMAGE_FORMATS)('%s', (format) => {
  test('reads back as it was, all 256 values', async () => {
    const path = join(folder, `all.${format}`);
    await writeImage(path, all, format, 'A & <b> "é"');
    const { image, notes } = await readImage(path);
    expect(image.shape).toEqual(all.shape);
    image.data.forEach((v, i) => expect(Math.abs(v - all.data[i]!)).toBeLessThan(1e-6));
    expect(notes).toEqual([]);
    expect(await encodeImage(image, format)).toEqual(await encodeImage(all, format));
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

test.each(['png', 'webp', 'tiff'] as const)('%s carries its description', async (format) => {
  const { xmpAsString, format: written } = await sharp(
    await encodeImage(all, format, 'A & <b> "é"'),
  ).metadata();
  expect(written).toBe(format);
  expect(xmpAsString).toContain('>A &amp; &lt;b> "é"</rdf:li>');
});

test('npy keeps what 8 bits cannot', async () => {
  const noisy = gaussian(noiseKey(0, 'write'), 'sample', 0, [3, 5, 4]);
  await writeImage(join(folder, 'noisy.npy'), noisy, 'npy');
  expect((await readImage(join(folder, 'noisy.npy'))).image).toEqual(noisy);
});

test('values are clipped, and rounded to the nearest', () => {
  const image = tensor([3, 1, 2], Float32Array.of(-7, -1, 0.9979, 1, 1.01, Infinity));
  expect([...toBytes(image)]).toEqual([0, 255, 255, 0, 255, 255]);
  expect(toBytes(tensor([3, 1, 1], Float32Array.of(0.003, 0.005, -0.005)))).toEqual(
    Buffer.of(128, 128, 127),
  );
});

test('what is no image is refused', async () => {
  const grey = encodeImage(zeros([1, 4, 4]), 'png');
  await expect(grey).rejects.toThrow(UserError);
  await expect(grey).rejects.toThrow('[3,H,W], got [1,4,4]');
  const image = zeros([3, 1, 1]);
  image.data[2] = NaN;
  const black = encodeImage(image, 'png');
  await expect(black).rejects.toThrow(UserError);
  await expect(black).rejects.toThrow('NaN at index 2');
});

test('a folder that is not there', () =>
  expect(writeImage(join(folder, 'none', 'a.png'), all, 'png')).rejects.toThrow(
    `cannot write ${join(folder, 'none', 'a.png')}: no such file or folder`,
  ));

test('a file is replaced', async () => {
  const path = join(folder, 'replaced.png');
  await writeImage(path, all, 'png');
  await writeImage(path, zeros([3, 2, 2]), 'png');
  expect(await readFile(path)).toEqual(await encodeImage(zeros([3, 2, 2]), 'png'));
});

test('an image too large for WebP is refused in words', async () => {
  const long = zeros([3, 1, 16384]);
  await expect(encodeImage(long, 'webp')).rejects.toThrow(/16384×1 pixels: a WebP has 16383/);
  expect((await encodeImage(long, 'png')).length).toBeGreaterThan(0);
});
