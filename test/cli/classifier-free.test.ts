/** Classifier-free guidance on the command line, with a model whose classes are known exactly. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readImage } from '../../src/image/read.ts';
import { digestsOf } from '../helpers/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg, expectDone, filesIn, restore, writeHalfMask, writePicture } from './harness.ts';
import { writeClassConditional, writeModel } from './models.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const classes = writeClassConditional(at('classes.onnx'));
const picture = await writePicture(at('picture.png'), 4);
const mask = at('mask.png');
await writeHalfMask(mask, 4, 4);
const names = ['0000.npy', '0001.npy', '0002.npy'];
let runs = 0;

const generate = (...args: string[]) => {
  const out = at(`out-${runs++}`);
  const common = ['--device', 'cpu', '--steps', '6', '--model', classes, '--count', '3'];
  return dsg(['generate', ...common, '-o', out, ...args]).then((done) => ({ ...done, out }));
};

async function made(...args: string[]): Promise<Record<string, string>> {
  const done = await generate('--format', 'npy', ...args);
  expectDone(done);
  return digestsOf(done.out, names);
}

async function greyOf(file: string): Promise<number> {
  const { data } = (await readImage(file)).image;
  return data.reduce((sum, v) => sum + v, 0) / data.length;
}

function optionsOf(file: string): unknown {
  return (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)['options'];
}

describe('generate', () => {
  it('goes further from the other classes as w rises', async () => {
    const greys: number[] = [];
    for (const w of ['-1', '0', '1', '4']) {
      const { out } = await generate('--class', 'dark', '--cfg-scale', w, '--count', '1');
      greys.push(await greyOf(join(out, '0000.png')));
    }
    expect(greys.toSorted((a, b) => b - a)).toEqual(greys);
    expect(greys[1]! - greys[3]!).toBeGreaterThan(0.002);
  });

  it('takes w, or s = 1+w, and gives the same bytes whatever the batch', async () => {
    const guided = await made('--class', '0', '--cfg-scale', '1.5');
    expect(await made('--class', '0', '--guidance-scale', '2.5')).toEqual(guided);
    expect(await made('--class', '0', '--cfg-scale', '1.5', '--batch', '3')).toEqual(guided);
    const plain = await made('--class', '0');
    expect(await made('--class', '0', '--guidance-scale', '1')).toEqual(plain);
    expect(plain['0000.npy']).not.toBe(guided['0000.npy']);
  });

  it.each([
    ['a schedule', ['--cfg-schedule', 'linear']],
    ['an interval', ['--cfg-interval', '0.1,2']],
    ['a rescale', ['--cfg-rescale', '0.7']],
  ])('gives other images with %s', async (_, more) => {
    const args = ['--class', '0', '--cfg-scale', '1.5'];
    expect(await made(...args, ...more)).not.toEqual(await made(...args));
  });

  it('says so, keeps it in the sidecar, and makes again with --resume what another w made', async () => {
    const args = ['--class', 'dark', '--cfg-schedule', 'cosine', '--cfg-interval', '0.1,9'];
    const done = await generate(...args, '--cfg-scale', '2');
    expectDone(done);
    expect(done.stderr).toContain('class 0 (dark), cfg scale 2 schedule cosine interval 0.1,9');
    expect(optionsOf(join(done.out, '0001.json'))).toMatchObject({
      class: 0,
      classifierFree: { scale: 2, schedule: 'cosine', interval: [0.1, 9] },
    });
    const again = (w: string) => generate(...args, '--cfg-scale', w, '--resume', '-o', done.out);
    expect((await again('2')).stderr).toContain('3 of 3 complete');
    expect((await again('3')).stderr).toContain('0 of 3 complete');
  });
});

describe('restore', () => {
  const args = [picture, '--simulate', '--task', 'inpaint', '--mask', mask, '--model', classes];

  it.each(['dsg', 'dps'])('--class with %s: the hidden part is of that class', async (method) => {
    const greys: number[] = [];
    for (const label of ['dark', 'bright']) {
      const out = at(`restored-${method}-${label}`);
      const more = ['--class', label, '--cfg-scale', '1', '--steps', '6', '--method', method];
      expectDone(await restore([...args, ...more, '-o', out]));
      greys.push(await greyOf(join(out, 'picture.png')));
      expect(optionsOf(join(out, 'picture.json'))).toMatchObject({
        class: label === 'dark' ? 0 : 2,
        classifierFree: { scale: 1 },
      });
    }
    expect(greys[1]! - greys[0]!).toBeGreaterThan(0.3);
  });

  it('makes again with --resume what was restored as another class', async () => {
    const out = at('restored-again');
    const as = (label: string, ...more: string[]) =>
      restore([...args, '--steps', '3', '--class', label, '-o', out, ...more]);
    expectDone(await as('0'));
    expect((await as('0', '--resume')).stderr).toContain('1 of 1 complete');
    expect((await as('1', '--resume')).stderr).toContain('0 of 1 complete');
  });
});

describe('bad input', () => {
  const needy = writeClassConditional(at('needy.onnx'), { none: false });
  const single = writeModel(at('single.onnx'), (b, x, _, y) => b.mul(x, y), {
    size: 4,
    open: false,
    labelled: true,
  });
  const known = ['--card', 'classes={"input":"y","count":3,"null":3}'];

  it.each<[string, string[], RegExp]>([
    ['both conventions', ['--class', '0', '--cfg-scale', '1', '--guidance-scale', '2'], /s = 1\+w/],
    ['no class', ['--cfg-scale', '1'], /there is none\nhint: add --class/],
    ['a schedule without scale', ['--class', '0', '--cfg-schedule', 'linear'], /--cfg-schedule be/],
    ['no null class', ['--model', needy, '--class', '0', '--cfg-scale', '1'], /stands for none/],
    ['a class out of range', ['--class', '7', '--cfg-scale', '1'], /class 7 is not one of its 3/],
    ['a negative s', ['--class', '0', '--guidance-scale', '-1'], /Expected a number, 0 or more/],
    ['an interval of one', ['--class', '0', '--cfg-interval', '3'], /Expected LO,HI/],
    [
      'more at a time than the model takes',
      [
        '--model',
        single,
        ...known,
        '--class',
        '0',
        '--cfg-scale',
        '1',
        '--count',
        '3',
        '--batch',
        '3',
      ],
      /batches of 1 only, not of 3, nor of 6 with and without condition\nhint: add --batch 1/,
    ],
  ])('%s', async (_, args, message) => {
    const done = await generate(...args);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(message);
    expect(existsSync(done.out) ? filesIn(done.out) : []).toEqual([]);
  });
});
