/** Scores of results: conventions, and the residual against the noise. */
import { describe, expect, test } from 'vitest';
import { luma, withoutBorder } from '../../src/metrics/luma.ts';
import { psnr } from '../../src/metrics/psnr.ts';
import { ssim } from '../../src/metrics/ssim.ts';
import { boxMask, inpainting } from '../../src/operators/inpainting.ts';
import { superResolution } from '../../src/operators/superresolution.ts';
import { degrade } from '../../src/pipeline/degrade.ts';
import { compare, residual } from '../../src/pipeline/evaluate.ts';
import { noiseKey } from '../../src/tensor/noise.ts';
import { scatter } from '../metrics/scatter.ts';
import { ramp } from '../helpers/images.ts';

const clean = ramp([3, 24, 20]);
const result = scatter([3, 24, 20], 3);

test('as they are', async () =>
  expect(await compare(result, clean)).toEqual({
    psnr: psnr(result, clean),
    ssim: ssim(result, clean),
  }));

test('without a border, and on Y', async () => {
  const [a, b] = [withoutBorder(result, 4), withoutBorder(clean, 4)];
  expect(await compare(result, clean, { border: 4, luma: true })).toEqual({
    psnr: psnr(a, b),
    ssim: ssim(a, b),
    psnrY: psnr(luma(a), luma(b)),
    ssimY: ssim(luma(a), luma(b)),
  });
});

test('SSIM is left out where its window does not fit', async () =>
  expect(Object.keys(await compare(result, clean, { border: 5, luma: true }))).toEqual([
    'psnr',
    'psnrY',
  ]));

describe.each([
  ['super-resolution', superResolution({ scale: 2 })],
  ['inpainting', inpainting({ mask: boxMask(64, 64, noiseKey(0, 'mask')) })],
])('%s', (_, operator) => {
  const image = ramp([3, 64, 64]);

  test('the residual of the true image is the noise', async () => {
    const y = await degrade(operator, image, { sigma: 0.1, seed: 1, name: 'x' });
    const { residualRatio = 0, residual: norm } = await residual(image, {
      operator,
      y,
      sigma: 0.1,
    });
    // Of at least 3072 values: a standard deviation of less than 1.3 %.
    expect(residualRatio).toBeGreaterThan(0.96);
    expect(residualRatio).toBeLessThan(1.04);
    const unknown = await residual(image, { operator, y });
    expect(unknown).toEqual({ residual: norm });
  });

  test('without noise there is no ratio', async () => {
    const y = await degrade(operator, image, { sigma: 0, seed: 1, name: 'x' });
    const scores = await residual(image, { operator, y, sigma: 0 });
    expect(scores).toEqual({ residual: expect.closeTo(0, 4) });
  });
});

test('a residual is of what was measured: other sizes are refused', async () => {
  const operator = superResolution({ scale: 2 });
  const y = await degrade(operator, ramp([3, 64, 64]), { sigma: 0, seed: 0, name: 'x' });
  await expect(residual(clean, { operator, y })).rejects.toThrow(
    'the measurement is [3,32,32], and one of such a result would be [3,12,10]',
  );
});
