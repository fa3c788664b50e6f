/** Files that a run reads, and files of others, are never replaced. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeNpy } from '../../src/tensor/npy.ts';
import { digestsOf } from '../helpers/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg, expectDone, filesIn, restore, writeHalfMask, writePicture } from './harness.ts';
import { writeShrinking } from './models.ts';

const model = writeShrinking(join(temporaryFolder(), 'model.onnx'));
const quick = ['--model', model, '--steps', '2'];
const blur = ['--task', 'deblur', '--kernel-size', '5'];
let runs = 0;
const base = temporaryFolder();

/** A folder with pictures by these names, of which masks are masks and .npy files kernels. */
async function folderOf(...names: string[]): Promise<string> {
  const folder = join(base, `${runs++}`);
  mkdirSync(folder);
  for (const name of names) {
    const file = join(folder, name);
    if (name.includes('mask')) await writeHalfMask(file, 16, 16);
    else if (name.endsWith('kernel.npy'))
      await writeNpy(file, { shape: [3, 3], data: new Float32Array(9).fill(1 / 9) });
    else await writePicture(file, 16);
  }
  return folder;
}

describe('refused, with all files as they were', () => {
  it.each<[what: string, names: string[], args: string[], message: string]>([
    [
      'an input, by the measurement',
      ['q.measurement.png'],
      ['restore', 'q.measurement.png', ...blur, '--simulate', ...quick],
      'q.measurement.png: what goes with the result would replace an input',
    ],
    [
      'an input, by a sample',
      ['a.samples/000.png', 'a.webp'],
      ['restore', 'a.samples/000.png', 'a.webp', ...blur, '--samples', '2', ...quick],
      'a.samples: what goes with the result would replace an input',
    ],
    [
      'the mask, by that of the measurement',
      ['p.jpg', 'p.mask.png'],
      ['degrade', 'p.jpg', '--task', 'inpaint', '--mask', 'p.mask.png'],
      'p.mask.png: what goes with the result would replace OUT/p.mask.png, which it is made from',
    ],
    [
      'the kernel, by that of the measurement',
      ['p.jpg', 'p.kernel.npy'],
      ['degrade', 'p.jpg', '--task', 'deblur', '--kernel', 'p.kernel.npy'],
      'p.kernel.npy: what goes with the result would replace OUT/p.kernel.npy',
    ],
    [
      'the mask, by the result',
      ['a.webp', 'a-mask.png'],
      [
        'restore',
        'a.webp',
        '--task',
        'inpaint',
        '--mask',
        'a-mask.png',
        ...quick,
        '-o',
        'a-mask.png',
      ],
      'a-mask.png: the result would replace OUT/a-mask.png, which it is made from',
    ],
    [
      'the target of a loss, by the grid',
      ['grid.png'],
      [
        'generate',
        '--loss',
        'color',
        '--target',
        'grid.png',
        '--grid',
        '1',
        '--width',
        '8',
        ...quick,
      ],
      'grid.png: what goes with the result would replace OUT/grid.png',
    ],
  ])('%s', async (_, names, args, message) => {
    const folder = await folderOf(...names);
    const before = digestsOf(folder, names);
    const here = args.map((arg) => (names.includes(arg) ? join(folder, arg) : arg));
    const output = args.includes('-o') ? [] : ['-o', folder];
    const done = await dsg([...here, ...output]);
    expect(done.stderr).toContain(message.replace('OUT', folder));
    expect(done).toMatchObject({ code: 1, stdout: '' });
    expect(digestsOf(folder, filesIn(folder))).toEqual(before);
  });

  it('a recorded mask, by the result', async () => {
    const folder = await folderOf();
    const clean = join(await folderOf('a.png'), 'a.png');
    expectDone(await dsg(['degrade', clean, '--task', 'inpaint', '-o', folder]));
    const mask = join(folder, 'a.mask.png');
    const done = await restore([join(folder, 'a.png'), ...quick, '-o', mask]);
    expect(done.stderr).toContain(`${mask}: the result would replace ${mask}`);
  });

  it.each(['{"shapes":[]}', '{"schema":1,"versions":{}}', '{"a":1}\n{"a":2}\n', 'text'])(
    'JSON that dsg did not write: %j',
    async (content) => {
      const folder = await folderOf('p.webp');
      const file = join(folder, 'p.json');
      writeFileSync(file, content);
      const done = await restore([folder, ...blur, ...quick, '-o', folder]);
      expect(done.stderr).toContain(
        'p.json: the result would replace it, and dsg did not write it\nhint: choose another folder',
      );
      expect(done.code).toBe(1);
      expect(readFileSync(file, 'utf8')).toBe(content);
    },
  );
});

it('what dsg wrote is replaced, and measurements are restored beside their results', async () => {
  const folder = await folderOf('a.webp');
  const out = await folderOf();
  const simulate = [
    join(folder, 'a.webp'),
    ...blur,
    '--simulate',
    '--samples',
    '2',
    '--trace',
    '1',
  ];
  for (let i = 0; i < 2; i++) expectDone(await restore([...simulate, ...quick, '-o', out]));
  copyFileSync(join(out, 'a.json'), join(out, 'kept'));
  writeFileSync(
    join(out, 'a.json'),
    JSON.stringify(JSON.parse(readFileSync(join(out, 'kept'), 'utf8'))),
  );
  expectDone(await restore([join(out, 'a.measurement.png'), ...quick, '-o', out]));
});
