import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readKernel, readMask } from '../../src/pipeline/degradation.ts';
import { writeNpy } from '../../src/tensor/npy.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();

async function greyImage(name: string, pixels: number[], width: number): Promise<string> {
  const file = join(folder, name);
  const raw = { width, height: pixels.length / width, channels: 1 } as const;
  await sharp(Buffer.from(pixels), { raw }).png().toFile(file);
  return file;
}

async function imageWithAlpha(name: string, ...pixels: number[]): Promise<string> {
  const file = join(folder, name);
  const raw = { width: pixels.length / 2, height: 1, channels: 2 } as const;
  await sharp(Buffer.from(pixels), { raw }).png().toFile(file);
  return file;
}

async function array(name: string, shape: number[], values: number[]): Promise<string> {
  const file = join(folder, name);
  await writeNpy(file, { shape, data: Float32Array.from(values) });
  return file;
}

const halves = { shape: [1, 2, 2], data: Float32Array.of(0, 0, 1, 1) };

describe('readMask', () => {
  it('keeps what is at least half of white', async () => {
    const mask = await readMask(await greyImage('mask.png', [0, 127, 128, 255], 2));
    expect(mask).toEqual({ values: halves, notes: [] });
  });

  it('hides what is transparent, whatever its colour, and says so', async () => {
    const file = await imageWithAlpha('holes.png', 255, 0, 255, 127, 255, 128, 0, 255, 255, 255);
    const { values, notes } = await readMask(file);
    expect(values.data).toEqual(Float32Array.of(0, 0, 1, 0, 1));
    expect(notes).toEqual(['its transparent pixels are hidden, as black ones are']);
  });

  it.each([
    [0, 'it keeps no pixel: only white is kept'],
    [255, 'it hides no pixel: only black is hidden'],
  ])('notes that all of it is %i', async (value, note) => {
    const image = await readMask(await greyImage('all.png', [value, value], 2));
    expect(image.notes).toEqual([note]);
    const values = await readMask(await array('all.npy', [1, 2], [value / 255, value / 255]));
    expect(values.notes).toEqual([note]);
  });

  it.each([[[2, 2]], [[1, 2, 2]], [[1, 1, 2, 2]]])('takes an array %j', async (shape) => {
    const mask = await readMask(await array('mask.npy', shape, [0, 0.49, 0.5, 1]));
    expect(mask).toEqual({ values: halves, notes: [] });
  });

  it.each([
    [[4], [0, 0, 1, 1], /expected a mask of shape \[H,W\], got \[4\]/],
    [[2, 1, 2], [0, 0, 1, 1], /expected a mask of shape \[H,W\], got \[2,1,2\]/],
    [[1, 0], [], /expected a mask of shape/],
    [[1, 2], [0, Infinity], /expected finite values, got Infinity at index 1/],
  ])('refuses an array %j of %j', async (shape, values, message) => {
    const file = await array('bad.npy', shape, values);
    await expect(readMask(file)).rejects.toThrow(message);
  });
});

describe('readKernel', () => {
  it('scales an image to sum 1', async () => {
    const { values, notes } = await readKernel(await greyImage('kernel.png', [0, 51, 204], 3));
    const { shape, data } = values;
    expect(notes).toEqual([]);
    expect(shape).toEqual([1, 3]);
    [0, 0.2, 0.8].forEach((v, i) => expect(data[i]).toBeCloseTo(v, 6));
  });

  it('takes an array as it is', async () => {
    const file = await array('kernel.npy', [1, 1, 1, 3], [1, 2, -1]);
    const values = { shape: [1, 3], data: Float32Array.of(1, 2, -1) };
    const notes = ['its values add up to 2.00, not 1'];
    expect(await readKernel(file)).toEqual({ values, notes });
    const usual = await readKernel(await array('usual.npy', [1, 3], [0.25, 0.5, 0.25]));
    expect(usual.notes).toEqual([]);
  });

  it('notes what reading an image left out', async () => {
    const { notes } = await readKernel(await imageWithAlpha('soft.png', 255, 255, 255, 0));
    expect(notes).toEqual(['its transparency was flattened over mid-grey']);
  });

  it('refuses a black image', async () => {
    const file = await greyImage('black.png', [0, 0, 0], 3);
    await expect(readKernel(file)).rejects.toThrow('a black image is no blur kernel');
  });
});
