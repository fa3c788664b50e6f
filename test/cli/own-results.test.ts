/** Results that go beside their inputs are not taken for inputs by the runs that follow. */
import { readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
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
let runs = 0;

/** A folder with pictures by these names, each another one. */
async function folderOf(...names: string[]): Promise<string> {
  const folder = join(base, `${runs++}`);
  for (const [i, name] of names.entries()) await writePicture(join(folder, name), 16, i);
  return folder;
}

/** The bytes of all but sidecars, which have the time of day in them. */
function contents(folder: string): unknown {
  const isSidecar = (name: string): boolean => /(^|\/)[ab]\.json$/.test(name);
  return digestsOf(
    folder,
    filesIn(folder).filter((name) => !isSidecar(name)),
  );
}

const jpegs = ['a.jpg', 'deep/b.jpg'];

describe('in the folder of the inputs', () => {
  it.each<[what: string, more: string[]]>([
    ['a restoration', []],
    ['one of a simulation', ['--simulate']],
    ['one of several samples', ['--samples', '2', '--trace', '1']],
    ['arrays', ['--format', 'npy', '--simulate']],
  ])('%s is made again, and kept', async (_, more) => {
    const folder = await folderOf(...jpegs);
    const run = (...also: string[]) =>
      restore([folder, ...blur, ...quick, ...more, ...also, '-o', folder]);
    expectDone(await run());
    const once = contents(folder);
    expectDone(await run());
    expect(contents(folder)).toEqual(once);
    const kept = await run('--resume');
    expect(kept.stderr).toContain('resume: 2 of 2 complete');
    const result = join(folder, more.includes('npy') ? 'deep/b.npy' : 'deep/b.png');
    truncateSync(result);
    expect((await run('--resume')).stderr).toContain('resume: 1 of 2 complete');
    expect(contents(folder)).toEqual(once);
  });

  it('measurements are made again, also beside restorations', async () => {
    const folder = await folderOf(...jpegs);
    const degrade = (...more: string[]) => dsg(['degrade', folder, ...blur, ...more, '-o', folder]);
    expectDone(await restore([folder, ...blur, ...quick, '--format', 'webp', '-o', folder]));
    expectDone(await degrade());
    const once = contents(folder);
    expectDone(await degrade());
    expect(contents(folder)).toEqual(once);
  });

  it('measurements are restored, run after run', async () => {
    const clean = await folderOf(...jpegs);
    const folder = await folderOf();
    expectDone(await dsg(['degrade', clean, ...blur, '--format', 'npy', '-o', folder]));
    const run = (...more: string[]) => restore([folder, ...quick, '-o', folder, ...more]);
    expectDone(await run());
    const once = contents(folder);
    expectDone(await run());
    expect(contents(folder)).toEqual(once);
    expect((await run('--resume')).stderr).toContain('resume: 2 of 2 complete');
  });

  it('a result by the name of -o is none of the inputs', async () => {
    const folder = await folderOf('a.jpg');
    const args = [folder, ...blur, ...quick, '-o', join(folder, 'result.png'), '--resume'];
    expectDone(await restore(args));
    expect((await restore(args)).stderr).toContain('resume: 1 of 1 complete');
  });
});

it('counts through links, patterns, and below a base', async () => {
  const folder = await folderOf(...jpegs);
  const link = join(base, 'link');
  symlinkSync(folder, link);
  const run = (...args: string[]) => restore([...args, ...blur, ...quick, '--resume']);
  expectDone(await run(folder, '-o', link));
  for (const args of [
    [folder, '-o', link],
    [join(folder, '**/*'), '-o', folder],
    [join(folder, 'deep'), '--base', folder, '-o', folder],
  ]) {
    const done = await run(...args);
    expectDone(done);
    expect(done.stderr).toMatch(/resume: (\d) of \1 complete/);
  }
});

describe('taken for inputs are', () => {
  it('results elsewhere, though they were made by dsg', async () => {
    const folder = await folderOf('first/a.jpg');
    const [first, second] = [join(folder, 'restored'), join(folder, 'again')];
    expectDone(await restore([join(folder, 'first'), ...blur, ...quick, '-o', first]));
    expectDone(await restore([first, ...blur, ...quick, '-o', second]));
    // Above them, too.
    expectDone(await restore([first, ...blur, ...quick, '-o', folder]));
    expect(filesIn(second)).toEqual(['a.json', 'a.png']);
  });

  it('images that no sidecar names', async () => {
    const folder = await folderOf('a.jpg');
    const run = () => restore([folder, ...blur, ...quick, '-o', folder]);
    expectDone(await run());
    const sidecar = join(folder, 'a.json');
    const text = readFileSync(sidecar, 'utf8');
    rmSync(sidecar);
    expect((await run()).stderr).toContain("two images are named 'a'");
    writeFileSync(sidecar, text.replace('"a.png"', '"other.png"'));
    expect((await run()).stderr).toContain("two images are named 'a'");
  });

  it('results that are given by themselves', async () => {
    const folder = await folderOf('a.jpg');
    expectDone(await restore([folder, ...blur, ...quick, '-o', folder]));
    const args = [join(folder, 'a.png'), ...blur, ...quick, '--format', 'webp', '-o', folder];
    expectDone(await restore(args));
    expect(filesIn(folder)).toEqual(['a.jpg', 'a.json', 'a.png', 'a.webp']);
  });
});

it('says so where there are results alone', async () => {
  const folder = await folderOf('a.jpg');
  expectDone(await restore([folder, ...blur, ...quick, '-o', folder]));
  rmSync(join(folder, 'a.jpg'));
  const done = await restore([folder, ...blur, ...quick, '-o', folder]);
  expect(done.code).toBe(1);
  expect(done.stderr).toContain(
    `${folder}: no images but results that dsg put there\nhint: choose another folder with -o`,
  );
});
