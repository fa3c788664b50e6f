import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readImage } from '../../src/image/read.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import { digestsOf } from '../helpers/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg, expectDone, filesIn, type Circumstances } from './harness.ts';
import { writeClassConditional, writeFailing, writeModel, writeShrinking } from './models.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const open = writeShrinking(at('open.onnx'));
const classes = writeClassConditional(at('classes.onnx'));
let runs = 0;

function fresh(): string {
  return at(`out-${runs++}`);
}

const generate = (args: readonly string[], given?: Circumstances) =>
  dsg(['generate', '--device', 'cpu', '--steps', '6', ...args], given);

function json(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

/** The mean of an image file. */
async function greyOf(file: string): Promise<number> {
  const { data } = (await readImage(file)).image;
  return data.reduce((sum, v) => sum + v, 0) / data.length;
}

describe('generate', () => {
  it('leaves an image and a sidecar each, and all of them in a grid', async () => {
    const out = fresh();
    const args = ['--model', open, '--width', '12', '--height', '8', '--count', '3', '-o', out];
    const done = await generate([...args, '--grid', '2']);
    expectDone(done);
    const each = ['0000', '0001', '0002'].flatMap((n) => [`${n}.json`, `${n}.png`]);
    expect(filesIn(out)).toEqual([...each, 'grid.png']);
    expect((await readImage(join(out, '0002.png'))).image.shape).toEqual([3, 8, 12]);
    expect((await readImage(join(out, 'grid.png'))).image.shape).toEqual([3, 22, 30]);
    expect(done.stderr).toContain('open.onnx: none, ddim eta 0, 6 steps, seed 0, cpu');
    expect(json(join(out, '0001.json'))).toMatchObject({
      input: { name: '0001' },
      image: { width: 12, height: 8 },
      options: { sampler: { name: 'ddim', eta: 0 }, steps: 6, seed: 0 },
      result: { file: '0001.png' },
      model: { effectiveCard: { prediction: 'epsilon', inputs: { x: 'x', timestep: 't' } } },
    });
  });

  it('gives the same bytes whatever batch and lanes, and others for another seed', async () => {
    const common = ['--model', open, '--width', '8', '--count', '5'];
    const names = ['0000', '0001', '0002', '0003', '0004'].map((n) => `${n}.png`);
    const made = async (...more: string[]) => {
      const out = fresh();
      expectDone(await generate([...common, ...more, '-o', out]));
      return digestsOf(out, names);
    };
    const alone = await made();
    expect(new Set(Object.values(alone)).size).toBe(5);
    for (const more of [
      ['--batch', '2'],
      ['--batch', 'auto', '--lanes', '2'],
    ])
      expect(await made(...more)).toEqual(alone);
    for (const more of [
      ['--seed', '1'],
      ['--sampler', 'ddpm'],
      ['--eta', '1'],
      ['--sampler', 'ddpm', '--temperature', '0.5'],
    ])
      expect((await made(...more))['0000.png']).not.toBe(alone['0000.png']);
  });

  it('--resume keeps what a card of another name says alike', async () => {
    const out = fresh();
    const said = (name: string): string => {
      const file = join(folder, name);
      writeFileSync(file, JSON.stringify({ clip: false }));
      return file;
    };
    const args = ['--model', open, '--width', '8', '--steps', '2', '--resume', '-o', out];
    expectDone(await generate([...args, '--card-file', said('card-a.json')]));
    const again = await generate([...args, '--card-file', said('card-b.json')]);
    expect(again.stderr).toContain('resume: 1 of 1 complete');
    expect((await generate(args)).stderr).toContain('resume: 0 of 1 complete');
  });

  it('goes on with --resume: with more images, and with those that are missing', async () => {
    const out = fresh();
    const args = ['--model', open, '--width', '8', '--resume', '-o', out];
    expectDone(await generate([...args, '--count', '2']));
    const before = digestsOf(out, ['0000.png', '0001.png']);
    rmSync(join(out, '0001.json'));
    const done = await generate([...args, '--count', '3']);
    expectDone(done);
    expect(done.stderr).toContain('resume: 1 of 3 complete, 2 to do');
    // Both are written at the same time; either may be there first.
    expect(done.stdout.match(/\d{4}\.png/g)?.toSorted()).toEqual(['0001.png', '0002.png']);
    expect(digestsOf(out, ['0000.png', '0001.png'])).toEqual(before);
    const other = await generate([...args, '--count', '3', '--steps', '5']);
    expect(other.stderr).toContain('resume: 0 of 3 complete, 3 to do');
    expect((await dsg(['summary', out])).stdout).toContain('3 results');
  });

  it('keeps x0 on the way with --trace', async () => {
    const out = fresh();
    expectDone(await generate(['--model', open, '--width', '8', '--trace', '2', '-o', out]));
    const frames = ['0000', '0001', '0003', '0005'].map((n) => join('0000.trace', `${n}.png`));
    expect(filesIn(out)).toEqual(['0000.json', '0000.png', '0000.trace.webp', ...frames]);
  });

  it('writes one image to a file, and any number of channels as .npy', async () => {
    expectDone(await generate(['--model', open, '--width', '8', '-o', at('one.webp')]));
    expect((await readImage(at('one.webp'))).image.shape).toEqual([3, 8, 8]);
    const two = writeShrinking(at('two.onnx'), { channels: 2 });
    const args = ['--model', two, '--width', '8', '-o'];
    expectDone(await generate([...args, at('two.npy')]));
    expect((await readNpy(at('two.npy'))).shape).toEqual([1, 2, 8, 8]);
    const refused = await generate([...args, at('two.png')]);
    expect(refused.stderr).toContain('takes images of 2 channels');
    expect(refused.stderr).toContain('hint: with --format npy');
  });

  it('writes what has one channel as grey', async () => {
    const grey = writeShrinking(at('grey.onnx'), { channels: 1 });
    expectDone(await generate(['--model', grey, '--width', '8', '-o', at('grey.png')]));
    const { shape, data } = (await readImage(at('grey.png'))).image;
    expect(shape).toEqual([3, 8, 8]);
    expect(data.slice(0, 64)).toEqual(data.slice(64, 128));
  });

  it.each([
    ['0', -0.6],
    ['bright', 0.6],
  ])('--class %s gives images of that class', async (label, mean) => {
    const out = fresh();
    const args = ['--model', classes, '--class', label, '--count', '4', '--batch', '4', '-o', out];
    expectDone(await generate(args));
    for (const name of ['0000', '0001', '0002', '0003'])
      expect(Math.abs((await greyOf(join(out, `${name}.png`))) - mean)).toBeLessThan(0.1);
    expect(json(join(out, '0000.json'))['options']).toMatchObject({ class: mean < 0 ? 0 : 2 });
  });

  it('without --class, samples all classes', async () => {
    const out = fresh();
    expectDone(await generate(['--model', classes, '--count', '12', '--batch', '12', '-o', out]));
    const means = await Promise.all(
      filesIn(out)
        .filter((f) => f.endsWith('.png'))
        .map((f) => greyOf(join(out, f))),
    );
    expect(Math.min(...means)).toBeLessThan(-0.4);
    expect(Math.max(...means)).toBeGreaterThan(0.4);
  });
});

describe('bad input', () => {
  const needy = writeClassConditional(at('needy.onnx'), { none: false });
  const silent = writeClassConditional(at('silent.onnx'));
  writeFileSync(at('silent.card.json'), '{"conditioning":{"y":3}}');
  const odd = writeModel(at('odd.onnx'), (b, x) => b.op('MaxPool', [x], { kernel_shape: [1, 1] }));

  it.each<[string, string[], RegExp]>([
    ['a class out of range', ['--model', classes, '--class', '3'], /class 3 is not one of its 3/],
    ['a class below 0', ['--model', classes, '--class', '-1'], /class -1 is not one of its 3/],
    ['half a class', ['--model', classes, '--class', '1.5'], /class 1.5 is not.*\nhint: .*0 to 2/],
    ['an unknown name', ['--model', classes, '--class', 'red'], /'red'\nhint: .*dark, middle/],
    ['no class', ['--model', needy], /needs a class.*\nhint: add --class/],
    [
      'a class of a model without',
      ['--model', odd, '--class', '1'],
      /names no classes.*\nhint: it takes no class; .*--classifier/,
    ],
    [
      'a class of a model that may have some',
      ['--model', silent, '--class', '1'],
      /names no classes.*\nhint: say which input takes the class: .*"input":"y"/,
    ],
    ['a name where there are none', ['--model', odd, '--class', 'cat'], /hint: .* go by number/],
    [
      'another size than the model takes',
      ['--model', classes, '--width', '8'],
      /takes 4×4 only, and 8×4 is asked for\nhint: leave out --width and --height/,
    ],
    ['no images', ['--count', '0'], /Expected an integer, 1 to 1000000/],
    ['more than can be named', ['--count', '1000000000000'], /Expected an integer, 1 to 1000000/],
    ['one file for two', ['--model', classes, '--count', '2'], /one file, but there are 2/],
    ['a size that the model cannot halve', ['--width', '60'], /multiple of 8\nhint: .*--width 64/],
    [
      'a size that no memory holds',
      ['--width', '999999999'],
      /an image of 999999999×999999999 takes .* GiB, more than can be held/,
    ],
    ['an option without use', ['--sampler', 'ddpm', '--eta', '0.5'], /--eta belongs to/],
    ['a temperature of steps without noise', ['--temperature', '0.5'], /hint: add --eta 1/],
  ])('%s', async (_, args, message) => {
    const done = await generate([...args, '-o', at('never.png')]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(message);
  });

  it('NaN: the image is reported, and there is no file', async () => {
    const out = fresh();
    const model = writeFailing(at('failing.onnx'));
    const done = await generate(['--model', model, '--width', '8', '-o', out]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('0000: eps is NaN at step 2 (timestep 400)');
    expect(filesIn(out)).toEqual([]);
  });
});
