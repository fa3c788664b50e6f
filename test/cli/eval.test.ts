import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeImage } from '../../src/image/write.ts';
import { fid } from '../../src/metrics/fid.ts';
import { psnr } from '../../src/metrics/psnr.ts';
import { ssim } from '../../src/metrics/ssim.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { readImage } from '../../src/image/read.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg, expectDone, picture, writePicture } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const [clean, restored] = [at('clean'), at('restored')];
const names = ['a', 'deep/b'];
for (const [i, name] of names.entries()) {
  await writePicture(join(clean, `${name}.png`), 16, i);
  const off = picture(16, i).data.map((v) => v + 0.1 + 0.1 * i);
  mkdirSync(join(restored, 'deep'), { recursive: true });
  await writeImage(join(restored, `${name}.png`), tensor([3, 16, 16], off), 'png');
}
const pair = async (name: string): Promise<[Tensor, Tensor]> => [
  (await readImage(join(restored, `${name}.png`))).image,
  (await readImage(join(clean, `${name}.png`))).image,
];

it('scores folders by relative name, with definitions', async () => {
  const done = await dsg(['eval', restored, clean, '--json']);
  expectDone(done);
  const document = JSON.parse(done.stdout);
  const scores = await Promise.all(
    names.map(async (name) => {
      const [x, y] = await pair(name);
      return { psnr: psnr(x, y), ssim: ssim(x, y) };
    }),
  );
  expect(document.images.map((i: { name: string }) => i.name)).toEqual(names);
  expect(document.images.map((i: { scores: object }) => i.scores)).toEqual(scores);
  expect(document.mean.psnr).toBeCloseTo((scores[0]!.psnr + scores[1]!.psnr) / 2, 10);
  expect(document.metrics.ssim).toMatchObject({ range: [-1, 1], better: 'higher' });
  expect(document.conventions).toMatchObject({ border: 0 });
});

it('prints a table that says what its numbers are', async () => {
  const { code, stdout } = await dsg(['eval', restored, clean, '--luma', '--border', '2']);
  expect(code).toBe(0);
  expect(stdout).toMatchInlineSnapshot(`
    "image   PSNR dB    SSIM  PSNR-Y dB  SSIM-Y
    a         26.17  0.9968      27.45  0.9976
    deep/b    20.21  0.9886      21.47  0.9916
    mean      23.19  0.9927      24.46  0.9946

    scores are of the files as they are; 2 pixels left out at every edge
    PSNR: 10 log10(4 / mean squared difference) over all pixels and channels, data range 2; images in [-1,1], clipped to it; null for equal images, where it is infinite; means are of decibels
    SSIM: Wang et al. 2004: Gaussian window 11x11, sigma 1.5, K1 0.01, K2 0.03, population covariance, windows inside the image only, mean of the channels; images in [-1,1], clipped to it and mapped to [0,1], data range 1; absent below 11 pixels a side
    PSNR-Y: PSNR on Y = 16 + 65.481 R + 128.553 G + 24.966 B of 255 (BT.601, MATLAB), not rounded, peak 255
    SSIM-Y: SSIM on Y = 16 + 65.481 R + 128.553 G + 24.966 B of 255 (BT.601, MATLAB), not rounded, data range 255
    "
  `);
});

it('prints CSV in full, and Markdown', async () => {
  const csv = await dsg(['eval', restored, clean, '--csv']);
  expect(csv.stdout.split('\r\n')[0]).toBe('image,PSNR dB,SSIM');
  expect(csv.stdout.split('\r\n')[1]).toBe(
    `a,${psnr(...(await pair('a')))},${ssim(...(await pair('a')))}`,
  );
  const markdown = await dsg(['eval', restored, clean, '--markdown']);
  expect(markdown.stdout).toContain('| image | PSNR dB | SSIM |\n| --- | --: | --: |\n| a | ');
});

it.each([
  [['--min', 'psnr=10'], 0],
  [['--min', 'psnr=10', '--min', 'ssim=0.999'], 3],
  [['--min', 'psnr=24'], 3],
  [['--max', 'psnr=10'], 3],
  [['--luma', '--min', 'psnrY=99'], 3],
])('limits %j end with %i', async (limits, code) => {
  const done = await dsg(['eval', restored, clean, ...limits]);
  expect(done.code).toBe(code);
  expect(done.stderr.includes('fell short')).toBe(code === 3);
});

it('names what fell short', async () => {
  const { stderr } = await dsg(['eval', restored, clean, '--min', 'psnr=24']);
  expect(stderr).toMatch(/error: 1 score fell short\n.*\ndeep\/b +psnr +2\d\.\d{4} +at least 24\n/);
});

it('an image equals itself, which no limit holds against it', async () => {
  const { code, stdout } = await dsg(['eval', clean, clean, '--min', 'psnr=99']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/a +∞ +1\.0000/);
});

it('a result without reference fails, the others are scored; unused references are noted', async () => {
  await writePicture(at('more/a.png'), 16);
  await writePicture(at('more/c.png'), 16);
  const done = await dsg(['eval', at('more'), clean]);
  expect(done.code).toBe(1);
  expect(done.stderr).toContain(`${at('more/c.png')}: no reference of this name in ${clean}`);
  expect(done.stderr).toContain('note: 1 of 2 references have no result: deep/b');
  expect(done.stdout).toContain('∞');
});

it('two images of one name are told apart as folders allow', async () => {
  for (const name of ['a.png', 'a.npy']) await writePicture(at(`twice/${name}`), 16);
  const { code, stderr } = await dsg(['eval', clean, at('twice')]);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /two images are named 'a': .*a\.npy and .*a\.png; images are matched by name\nhint: rename one of them, or move it out of the folder\n/,
  );
});

it('other sizes fail', async () => {
  await writePicture(at('wide/a.png'), 24);
  const { code, stderr } = await dsg(['eval', at('wide'), clean, '-q']);
  expect(code).toBe(1);
  expect(stderr).toContain('expected two images of one shape, got [3,24,24] and [3,16,16]');
});

it.each([
  [[restored, join(clean, 'a.png')], 'is a folder,'],
  [[join(restored, 'a.png'), at('nothing.png')], 'no such file'],
  [[restored, at('nothing')], 'nothing: no such file or folder'],
  [[restored, clean, '--csv', '--json'], '--json, --csv and --markdown exclude one another'],
  [[restored, clean, '--min', 'quality=3'], 'Expected METRIC=NUMBER'],
  [[restored, clean, '--min', 'psnr=x'], 'Expected METRIC=NUMBER'],
  [
    [restored, clean, '--min', 'lpips=0.3'],
    '--min lpips=0.3: lpips is not worked out\nhint: add --lpips MODEL',
  ],
  [
    [restored, clean, '--max', 'fid=9'],
    '--max fid=9: fid is not worked out\nhint: add --fid MODEL',
  ],
  [
    [restored, clean, '--min', 'ssimY=0.5'],
    'ssimY is not worked out\nhint: add --luma, or leave out',
  ],
  [[restored, clean, '--max', 'secondsPerStep=1'], 'not worked out\nhint: `dsg bench` measures it'],
  [[restored, clean, '--measurements', restored], 'a.operator.json: no such record'],
  [[join(restored, 'a.png'), join(clean, 'a.png'), '--fid', 'x.onnx'], 'and there is 1 pair'],
  [[restored], "missing required argument 'reference'"],
])('%j is refused', async (args, message) => {
  const { code, stderr } = await dsg(['eval', ...args]);
  expect(code).toBe(1);
  expect(stderr).toContain(message);
});

it('two files need not have one name; the residual of the true image is the noise', async () => {
  await writePicture(at('big/p.png'), 64);
  const degraded = at('degraded');
  const noise = ['--noise', '0.1', '--format', 'npy'];
  expectDone(await dsg(['degrade', at('big'), '--task', 'inpaint', ...noise, '-o', degraded]));
  const done = await dsg(['eval', at('big'), at('big'), '--measurements', degraded, '--json']);
  expectDone(done);
  const [{ scores }] = JSON.parse(done.stdout).images;
  expect(scores.residualRatio).toBeGreaterThan(0.95);
  expect(scores.residualRatio).toBeLessThan(1.05);
  const single = await dsg(['eval', at('big/p.png'), join(degraded, 'p.measurement.png')]);
  expectDone(single);
  expect(single.stdout).toMatch(/residual \/ noise/);
});

it('LPIPS and FID by networks of the user', async () => {
  const shape = [1, 3, 16, 16];
  const distance = new GraphBuilder();
  const inputs = ['a', 'b'].map((name) => distance.input(name, 'float32', shape));
  const difference = distance.op('Abs', [distance.sub(inputs[0]!, inputs[1]!)]);
  distance.output(distance.reduce('Mean', difference, [0, 1, 2, 3]), 'd');
  writeFileSync(at('pair.onnx'), encodeGraph(distance.graph));
  const features = new GraphBuilder();
  features.output(
    features.reduce('Mean', features.input('x', 'float32', shape), [2, 3], false),
    'f',
  );
  writeFileSync(at('mean.onnx'), encodeGraph(features.graph));

  const networks = ['--lpips', at('pair.onnx'), '--fid', at('mean.onnx')];
  const done = await dsg(['eval', restored, clean, ...networks, '--max', 'fid=0', '--json']);
  expect(done.code).toBe(3);
  const { images, mean, shortfalls, metrics } = JSON.parse(done.stdout);
  expect(images[0].scores.lpips).toBeCloseTo(0.1, 1);
  expect(images[1].scores.lpips).toBeCloseTo(0.2, 1);
  const vectors = await Promise.all(names.map(pair));
  const channelMeans = ({ data }: Tensor): Tensor =>
    tensor(
      [3],
      Float32Array.from(
        [0, 1, 2],
        (c) => data.subarray(256 * c, 256 * (c + 1)).reduce((s, v) => s + v, 0) / 256,
      ),
    );
  const expected = fid(
    vectors.map(([x]) => channelMeans(x)),
    vectors.map(([, y]) => channelMeans(y)),
  );
  expect(mean.fid).toBeCloseTo(expected, 5);
  expect(shortfalls).toEqual([
    { name: 'all images', metric: 'fid', value: mean.fid, needed: 'at most 0' },
  ]);
  expect(metrics.lpips.definition).toContain('pair.onnx');
});
