/** `restore --tile`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import sharp from 'sharp';
import { temporaryFolder } from '../helpers/folder.ts';
import { relativeError } from '../helpers/random.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import { expectDone, restore, writePicture } from './harness.ts';
import { writeShrinking } from './models.ts';

const folder = temporaryFolder();
const image = await writePicture(join(folder, 'large.png'), 40);
const fixed = writeShrinking(join(folder, 'fixed.onnx'), { open: false });
const open = writeShrinking(join(folder, 'open.onnx'));
const blur = ['--task', 'deblur', '--kernel-size', '5', '--kernel-std', '1', '--simulate'];
const args = [image, ...blur, '--steps', '3', '--format', 'npy'];
const tiled = (out: string, ...more: string[]) =>
  restore([...args, '-o', join(folder, out), '--tile', ...more]);

describe('--tile', () => {
  it('restores what is larger than the model takes, as a model of any size does', async () => {
    expectDone(await tiled('fixed', 'auto', '--model', fixed));
    expectDone(await restore([...args, '--model', open, '-o', join(folder, 'whole')]));
    const [a, b] = [
      await readNpy(join(folder, 'fixed/large.npy')),
      await readNpy(join(folder, 'whole/large.npy')),
    ];
    // The model treats each pixel by itself, so that nothing but rounding can differ.
    expect(relativeError(a, b)).toBeLessThan(1e-4);
  });

  it('is recorded with each result, as are fields of the card', async () => {
    expectDone(await tiled('recorded', '16', '--model', open, '--card', 'prediction=epsilon'));
    const { options } = JSON.parse(readFileSync(join(folder, 'recorded/large.json'), 'utf8'));
    expect(options).toMatchObject({ tile: 16, card: { prediction: 'epsilon' } });
  });

  it('redoes with --resume what other windows made', async () => {
    const again = ['--model', open, '--resume'];
    expectDone(await tiled('again', '16', '--model', open));
    expect((await tiled('again', '16', ...again)).stderr).toContain('1 of 1 complete');
    expect((await tiled('again', '32', ...again)).stderr).toContain('0 of 1 complete');
  });

  it('takes small images among large ones, and --fit pad where they are too small', async () => {
    await writePicture(join(folder, 'mixed/large.png'), 24);
    const small = await writePicture(join(folder, 'mixed/small.png'), 12);
    const mixed = (...more: string[]) =>
      restore([join(folder, 'mixed'), ...blur, '--steps', '2', '--model', fixed, ...more]);
    const refused = await mixed('-o', join(folder, 'm1'), '--tile', 'auto');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`${small}: ${fixed} takes 16×16 only`);
    expectDone(await mixed('-o', join(folder, 'm2'), '--tile', 'auto', '--fit', 'pad'));
    expect(await sharp(join(folder, 'm2/small.png')).metadata()).toMatchObject({ width: 12 });
  });

  it.each([
    ['another size than the model', ['16', '--model', open, '--tile-overlap', '16'], 'overlap'],
    ['a size that is none', ['0', '--model', open], 'an integer, 1 or more'],
    ['windows of a fixed model', ['32', '--model', fixed], 'let --tile be auto'],
  ])('refuses %s', async (_, more, message) => {
    const { code, stderr } = await tiled('refused', ...more);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });

  it('refuses an overlap without windows', async () => {
    const { code, stderr } = await restore([...args, '-o', folder, '--tile-overlap', '8']);
    expect({ code, hint: stderr.includes('add --tile auto') }).toEqual({ code: 1, hint: true });
  });
});
