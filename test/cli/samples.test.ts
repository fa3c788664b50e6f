/** `restore --samples`. */
import { appendFileSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import sharp from 'sharp';
import { brightest } from '../../src/cli/samples.ts';
import { heatMap } from '../../src/image/heat.ts';
import { toBytes } from '../../src/image/write.ts';
import { posteriorOf } from '../../src/pipeline/posterior.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { digestsOf } from '../helpers/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { expectDone, filesIn, restore, writePicture } from './harness.ts';
import { writeSelective, writeShrinking } from './models.ts';

const folder = temporaryFolder();
const model = writeShrinking(join(folder, 'shrinking.onnx'));
for (const [i, name] of ['a', 'deep/b', 'c'].entries())
  await writePicture(join(folder, `clean/${name}.png`), 16, i);
const blur = ['--task', 'deblur', '--kernel-size', '5', '--kernel-std', '1', '--simulate'];
const quick = ['--model', model, '--steps', '4', '--format', 'npy'];

let runs = 0;
/** Restores the folder of clean images, to a folder of its own unless `more` has another. */
async function run(...more: string[]) {
  const out = join(folder, `out-${runs++}`);
  return {
    ...(await restore([join(folder, 'clean'), ...blur, ...quick, '-o', out, ...more])),
    out,
  };
}

const npy = async (file: string): Promise<Tensor> => {
  const { shape, data } = await readNpy(file);
  return tensor(shape.slice(-3), data);
};
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
/** The files of results, not those with the time of day in them. */
const results = (out: string) =>
  digestsOf(
    out,
    filesIn(out).filter((f) => !/[abc]\.json$/.test(f)),
  );

const whole = await run('--samples', '3');
expectDone(whole);

describe('--samples', () => {
  it('writes samples, their mean as the result, and their deviation', async () => {
    const { out } = whole;
    expect(
      filesIn(out).filter((f) => f.startsWith('deep/') && !/measurement|operator/.test(f)),
    ).toEqual([
      'deep/b.deviation.npy',
      'deep/b.deviation.png',
      'deep/b.json',
      'deep/b.npy',
      'deep/b.samples/000.npy',
      'deep/b.samples/001.npy',
      'deep/b.samples/002.npy',
    ]);
    const at = (name: string) => join(out, 'deep', name);
    const samples = await Promise.all([0, 1, 2].map((i) => npy(at(`b.samples/00${i}.npy`))));
    const { mean, deviation } = posteriorOf(samples);
    expect(await npy(at('b.npy'))).toEqual(mean);
    expect(await npy(at('b.deviation.npy'))).toEqual(deviation);
    const picture = await sharp(at('b.deviation.png')).raw().toBuffer();
    expect(picture.equals(toBytes(heatMap(deviation, brightest)))).toBe(true);
    expect(Math.max(...deviation.data)).toBeGreaterThan(0);
  });

  it('says in the sidecar how good each is, and what the heat map shows', () => {
    const { samples, metrics, options } = json(join(whole.out, 'a.json'));
    expect(options.samples).toBe(3);
    expect(samples.each.map((s: { file: string }) => s.file)).toEqual([
      '000.npy',
      '001.npy',
      '002.npy',
    ]);
    expect(samples.deviation).toEqual({
      definition: expect.stringContaining(`${brightest} or more`),
      rms: expect.any(Number),
    });
    // The mean is nearer to the truth than its samples are on average, whatever they are.
    const psnr = samples.each.map((s: { psnr: number }) => s.psnr);
    expect(metrics.result.psnr).toBeGreaterThan(psnr.reduce((a: number, b: number) => a + b) / 3);
  });

  it('has what a single restoration gives as the first sample', async () => {
    const { out } = await run();
    expect(await npy(join(out, 'a.npy'))).toEqual(await npy(join(whole.out, 'a.samples/000.npy')));
  });

  it.each([['--batch 1'], ['--batch 2'], ['--lanes 2'], ['--batch 4 --lanes 3']])(
    'gives the same bytes with %s',
    async (more) => {
      const { out } = await run('--samples', '3', ...more.split(' '));
      expect(results(out)).toEqual(results(whole.out));
    },
  );

  it('counts samples, and traces the first', async () => {
    const done = await run('--samples', '2', '--batch', '2', '--trace', '1');
    expect(done.stderr).toContain('samples 3-4 of 6  step 4/4');
    expect(done.stderr).toContain('4 steps, 2 samples, seed 0');
    expect(filesIn(done.out).filter((f) => f.startsWith('a.trace/'))).toHaveLength(4);
  });

  it('takes neither samples nor heat maps for inputs', async () => {
    const out = join(folder, 'clean/restored');
    for (const input of [join(folder, 'clean'), join(folder, 'clean/**/*.png')]) {
      await restore([input, ...blur, ...quick, '--format', 'png', '--samples', '2', '-o', out]);
      const again = await restore([
        join(folder, 'clean'),
        ...blur,
        ...quick,
        '-o',
        join(folder, 'elsewhere'),
      ]);
      expect(again.stdout.match(/samples|deviation/g)).toBeNull();
    }
    rmSync(out, { recursive: true });
  });

  it('fails an image once if a sample of it diverges, and goes on', async () => {
    const selective = writeSelective(join(folder, 'selective.onnx'));
    const options = ['--samples', '2', '--batch', '2', '--seed', '5', '--json', '--method', 'none'];
    const done = await run(...options, '--model', selective);
    const { results, failures } = JSON.parse(done.stdout);
    expect([done.code, results.length, failures.length]).toEqual([1, 1, 2]);
    expect(new Set(failures.map((f: { input: string }) => f.input)).size).toBe(2);
  });

  it('cannot be had of one replayed noise, or of none', async () => {
    const done = await run('--samples', '2', '--replay', folder);
    expect([done.code, done.stderr]).toEqual([
      1,
      expect.stringContaining('--replay has the noise of one sample'),
    ]);
    expect((await run('--samples', '0')).stderr).toContain('Expected an integer, 1 or more');
  });
});

describe('--samples with --resume', () => {
  it.each<[string, (out: string) => void, number]>([
    ['nothing', () => undefined, 0],
    ['a missing sample', (out) => rmSync(join(out, 'a.samples/001.npy')), 1],
    ['an empty sample', (out) => truncateSync(join(out, 'a.samples/002.npy')), 1],
    ['a missing heat map', (out) => rmSync(join(out, 'c.deviation.png')), 1],
    ['a changed mean', (out) => appendFileSync(join(out, 'deep/b.npy'), '.'), 1],
  ])('after %s makes what is needed', async (_, harm, redone) => {
    const { out } = await run('--samples', '3');
    harm(out);
    const done = await run('--samples', '3', '--resume', '-o', out);
    expectDone(done);
    expect(done.stderr).toContain(`resume: ${3 - redone} of 3 complete`);
    expect(results(out)).toEqual(results(whole.out));
  });

  it('makes anew what had another number of them, and leaves none over', async () => {
    const { out } = await run('--samples', '4');
    const done = await run('--samples', '3', '--resume', '-o', out);
    expect(done.stderr).toContain('resume: 0 of 3 complete');
    expect(results(out)).toEqual(results(whole.out));
  });
});
