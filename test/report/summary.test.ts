/** Statistics of cells, by hand. */
import { expect, test } from 'vitest';
import { bestByResidual, deviation, quantile, summarize } from '../../src/report/summary.ts';
import { cell } from './fixture.ts';

const key = { task: 'sr', method: 'dsg', steps: 20 };
const scored = (image: string, sample: number, psnr: number, residual: number) =>
  cell({ image, sample, scores: { psnr, residual } });

test('images count alike, whatever their samples', () => {
  const cells = [scored('a', 0, 20, 3), scored('a', 1, 24, 2), scored('b', 0, 30, 5)];
  const { images, statistics } = summarize(key, cells, 'words');
  expect(images).toBe(2);
  // a: mean 22, deviation sqrt(8), best by residual 24; b: 30, alone.
  expect(statistics['psnr']).toEqual({
    mean: 26,
    deviation: Math.sqrt(32),
    sampleDeviation: Math.sqrt(8),
    bestByResidual: 27,
    lowest: 20,
    highest: 30,
  });
});

test('one sample of one image has no spread and no choice', () =>
  expect(summarize(key, [scored('a', 0, 20, 3)], '').statistics['psnr']).toEqual({
    mean: 20,
    lowest: 20,
    highest: 20,
  }));

test('an infinite score has an infinite mean and no spread', () => {
  const cells = [scored('a', 0, Infinity, 0), scored('b', 0, 20, 0)];
  const psnr = summarize(key, cells, '').statistics['psnr']!;
  expect(psnr).toEqual({ mean: Infinity, lowest: 20, highest: Infinity });
});

test('a metric that some images lack is that of the others; metrics of sets have a mean only', () => {
  const cells = [scored('a', 0, 20, 3), cell({ image: 'b', scores: { ssim: 0.5 } })];
  const { statistics } = summarize(key, cells, '', { fid: 12 });
  expect(statistics['psnr']!.mean).toBe(20);
  expect(statistics['ssim']!.mean).toBe(0.5);
  expect(statistics['fid']).toEqual({ mean: 12 });
});

test('the best by residual is the first of equals', () => {
  const cells = [scored('a', 0, 1, 3), scored('a', 1, 2, 2), scored('a', 2, 3, 2)];
  expect(bestByResidual(cells).sample).toBe(1);
});

test.each([
  [[1, 2, 3, 4], 0.5, 2.5],
  [[1, 2, 3, 4], 0, 1],
  [[1, 2, 3, 4], 1, 4],
  [[7], 0.25, 7],
])('quantile of %j at %d', (values, fraction, expected) =>
  expect(quantile(values, fraction)).toBe(expected),
);

test('deviation of a single value', () => expect(deviation([3])).toBeUndefined());
