/** What an earlier result had, and the one in its place has not, goes away; nothing else does. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestsOf } from '../helpers/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg, expectDone, filesIn, restore, writePicture } from './harness.ts';
import { writeShrinking } from './models.ts';

const base = temporaryFolder();
const model = writeShrinking(join(base, 'model.onnx'));
const quick = ['--model', model, '--steps', '2'];
const blur = ['--task', 'deblur', '--kernel-size', '5'];
const inpaint = ['--task', 'inpaint', '--mask', 'box'];
const clean = join(base, 'clean');
await writePicture(join(clean, 'a.jpg'), 16);
await writePicture(join(clean, 'deep/b.jpg'), 16, 1);
let runs = 0;
const fresh = (): string => join(base, `out-${runs++}`);

const commands = {
  restore: (out: string, ...more: string[]) => restore([clean, ...quick, '-o', out, ...more]),
  degrade: (out: string, ...more: string[]) => dsg(['degrade', clean, '-o', out, ...more]),
  generate: (out: string, ...more: string[]) =>
    dsg(['generate', '--width', '16', ...quick, '-o', out, ...more]),
};

describe('leaves what one run leaves', () => {
  it.each<[keyof typeof commands, earlier: string[], later: string[]]>([
    ['restore', [...blur, '--samples', '3'], blur],
    ['restore', [...blur, '--samples', '3'], [...blur, '--samples', '2']],
    ['restore', [...blur, '--trace', '1'], blur],
    ['restore', [...inpaint, '--simulate'], blur],
    ['restore', [...inpaint, '--simulate'], [...blur, '--simulate']],
    ['restore', [...blur, '--format', 'npy', '--simulate', '--samples', '2'], blur],
    ['restore', blur, [...blur, '--format', 'webp']],
    ['degrade', blur, [...blur, '--format', 'npy']],
    ['degrade', [...inpaint, '--format', 'npy'], blur],
    ['generate', ['--trace', '1'], ['--format', 'npy']],
  ])('%s %j, then %j', async (command, earlier, later) => {
    const [out, once] = [fresh(), fresh()];
    expectDone(await commands[command](out, ...earlier));
    expectDone(await commands[command](out, ...later, '--seed', '1'));
    expectDone(await commands[command](once, ...later, '--seed', '1'));
    expect(filesIn(out)).toEqual(filesIn(once));
    if (command === 'restore') expectDone(await dsg(['eval', out, clean]));
  });

  it('no folder that is empty, in the folder of the inputs too', async () => {
    const out = fresh();
    cpSync(clean, out, { recursive: true });
    const run = (...more: string[]) => restore([out, ...quick, ...blur, '-o', out, ...more]);
    expectDone(await run('--samples', '2', '--trace', '1'));
    expectDone(await run('--format', 'npy'));
    expect(filesIn(out)).toEqual(
      ['a.jpg', 'a.json', 'a.npy', 'deep/b.jpg', 'deep/b.json', 'deep/b.npy'].sort(),
    );
    expect(() => readFileSync(join(out, 'a.samples'))).toThrow('ENOENT');
  });
});

describe('leaves alone', () => {
  const sampled = async (): Promise<string> => {
    const out = fresh();
    expectDone(await commands.restore(out, ...blur, '--samples', '2'));
    return out;
  };

  it('what was changed since, and what others put there', async () => {
    const out = await sampled();
    const kept = [
      'a.deviation.png',
      'a.samples/notes.txt',
      'a.notes.png',
      'deep/b.samples/000.png',
    ];
    for (const name of kept) writeFileSync(join(out, name), 'mine');
    expectDone(await commands.restore(out, ...blur));
    const results = ['a.json', 'a.png', 'deep/b.json', 'deep/b.png'];
    expect(filesIn(out)).toEqual([...kept, ...results].sort());
  });

  it('what the run reads', async () => {
    const out = fresh();
    expectDone(await commands.restore(out, ...inpaint, '--simulate'));
    const measured = ['a.mask.png', 'a.measurement.png', 'a.operator.json'];
    const before = digestsOf(out, measured);
    // Also through a link.
    const link = join(base, 'link');
    symlinkSync(out, link);
    expectDone(await restore([join(link, 'a.measurement.png'), ...quick, '-o', out]));
    expect(digestsOf(out, measured)).toEqual(before);
    expect(JSON.parse(readFileSync(join(out, 'a.json'), 'utf8')).result.others).toEqual([]);
  });

  it('what a sidecar names elsewhere, or not after its result', async () => {
    const out = await sampled();
    const mine = join(base, 'mine');
    mkdirSync(mine);
    symlinkSync(mine, join(out, 'a.linked'));
    cpSync(join(out, 'a.samples/000.png'), join(mine, 'picture.png'));
    cpSync(join(out, 'a.samples/000.png'), join(out, 'other.png'));
    const sidecar = join(out, 'a.json');
    const document = JSON.parse(readFileSync(sidecar, 'utf8'));
    const sample = document.result.others.find((o: { file: string }) => /000/.test(o.file));
    for (const file of [
      '../mine/picture.png',
      'a.x/../../mine/picture.png',
      'a.linked/picture.png',
    ])
      document.result.others.push({ ...sample, file });
    document.result.others.push({ ...sample, file: 'other.png' });
    writeFileSync(sidecar, JSON.stringify(document));
    expectDone(await commands.restore(out, ...blur));
    expect(filesIn(mine)).toEqual(['picture.png']);
    expect(filesIn(out)).toContain('other.png');
    expect(filesIn(out)).not.toContain('a.samples/000.png');
  });

  it('results of other names, and those that are named by -o', async () => {
    const out = fresh();
    const run = (file: string, ...more: string[]) =>
      restore([join(clean, 'a.jpg'), ...blur, ...quick, '-o', join(out, file), ...more]);
    expectDone(await run('r.png', '--samples', '2'));
    expectDone(await run('r.x.png'));
    expectDone(await run('r.webp'));
    expect(filesIn(out)).toEqual(['r.json', 'r.png', 'r.webp', 'r.x.json', 'r.x.png']);
  });

  it('all of it until the new one is whole', async () => {
    const out = await sampled();
    const before = filesIn(out);
    mkdirSync(join(out, 'a.webp'));
    const done = await commands.restore(out, ...blur, '--format', 'webp');
    expect(done.code).toBe(1);
    const left = filesIn(out).filter((name) => !name.startsWith('deep/'));
    expect(left).toEqual(before.filter((name) => !name.startsWith('deep/')));
  });
});
