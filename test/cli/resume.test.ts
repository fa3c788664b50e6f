/** Runs that stop in the middle, and runs that go on from there. */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { writeResult } from '../../src/cli/destination.ts';
import { writeTrace } from '../../src/cli/trace.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { writeGraph } from '../../src/onnx/write.ts';
import { temporaryName } from '../../src/files/leftovers.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { digestsOf } from '../helpers/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg, expectDone, filesIn, restore, writeHalfMask, writePicture } from './harness.ts';
import { writeShrinking } from './models.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const model = writeShrinking(at('model.onnx'));
const names = ['a', 'b', 'c', 'deep/d', 'e'];
for (const [i, name] of names.entries()) await writePicture(at(`clean/${name}.png`), 16, i);
const options = ['--task', 'deblur', '--kernel-size', '5', '--simulate', '--trace', '2'];
const quick = ['--model', model, '--steps', '4'];
let runs = 0;

/** Restores the folder of clean images; `more` counts over the usual options. */
async function run(out: string, ...more: string[]) {
  const done = await restore([at('clean'), ...options, ...quick, '-o', out, ...more]);
  const made = done.stdout.split('\n').filter((line) => line.includes('PSNR'));
  return { ...done, made: made.map((line) => line.slice(out.length + 1).split('.')[0]) };
}

function fresh(): string {
  return at(`out-${runs++}`);
}

/** All that results consist of: every byte but those of the sidecars' date and timing. */
function contents(out: string): unknown {
  const files = filesIn(out);
  const isSidecar = (name: string): boolean => /\/?[a-e]\.json$/.test(name);
  const sidecars = files.filter(isSidecar).map((name) => {
    const { date, timing, ...rest } = JSON.parse(readFileSync(join(out, name), 'utf8'));
    expect({ date, timing }).toEqual({ date: expect.any(String), timing: expect.any(Object) });
    return [name, rest];
  });
  const others = files.filter((name) => !isSidecar(name));
  return { ...Object.fromEntries(sidecars), ...digestsOf(out, others) };
}

function copyWithin(out: string, from: string, to: string): void {
  copyFileSync(join(out, from), join(out, to));
}

/** As sidecars were when they had the names alone of what goes with a result. */
function withoutDigests(file: string): void {
  const { result, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
  const others = result.others.map((other: { file: string }) => other.file);
  writeFileSync(file, JSON.stringify({ ...rest, result: { ...result, others } }, undefined, 2));
}

const whole = fresh();
expectDone(await run(whole));

describe('--resume', () => {
  it.each<[what: string, harm: (out: string) => void, redone: string[]]>([
    ['nothing', () => undefined, []],
    ['a missing sidecar', (out) => rmSync(join(out, 'b.json')), ['b']],
    ['a missing result', (out) => rmSync(join(out, 'deep/d.png')), ['deep/d']],
    ['a missing trace', (out) => rmSync(join(out, 'c.trace.webp')), ['c']],
    ['a changed result', (out) => appendFileSync(join(out, 'e.png'), '.'), ['e']],
    ['an empty animation', (out) => writeFileSync(join(out, 'b.trace.webp'), ''), ['b']],
    ['another frame', (out) => copyWithin(out, 'a.trace/0000.png', 'a.trace/0003.png'), ['a']],
    ['a missing frame', (out) => rmSync(join(out, 'c.trace/0000.png')), ['c']],
    [
      'the measurement of another image',
      (out) => copyWithin(out, 'a.measurement.png', 'deep/d.measurement.png'),
      ['deep/d'],
    ],
    ['an empty operator record', (out) => truncateSync(join(out, 'e.operator.json')), ['e']],
    ['a sidecar of before, without digests', (out) => withoutDigests(join(out, 'a.json')), ['a']],
    ['an empty sidecar', (out) => writeFileSync(join(out, 'a.json'), ''), ['a']],
    ['half a sidecar', (out) => truncateSync(join(out, 'a.json'), 300), ['a']],
  ])('after %s makes what is needed, and the bytes of one run', async (_, harm, redone) => {
    const out = fresh();
    await run(out);
    harm(out);
    const done = await run(out, '--resume');
    expectDone(done);
    expect(done.made).toEqual(redone);
    expect(done.stderr).toContain(`resume: ${names.length - redone.length} of 5 complete`);
    expect(contents(out)).toEqual(contents(whole));
  });

  it.each<[string, string[]]>([
    ['steps', ['--steps', '3']],
    ['seed', ['--seed', '1']],
    ['method', ['--method', 'dps']],
    ['rate', ['--rate', '0.3']],
    ['eta', ['--eta', '0.5']],
    ['temperature', ['--temperature', '0.9']],
    ['noise', ['--noise', '0.1']],
    ['degradation', ['--kernel-size', '7']],
    ['trace', ['--trace', '1']],
    ['format', ['--format', 'npy']],
    ['card', ['--card', 'schedule.name=cosine']],
    ['model', ['--model', writeShrinking(at('fixed.onnx'), { open: false })]],
  ])('makes all anew with another %s', async (_, more) => {
    const out = fresh();
    await run(out);
    const done = await run(out, '--resume', ...more);
    expectDone(done);
    expect(done.made.sort()).toEqual(names);
  });

  it.each<[string, string[]]>([
    ['batch', ['--batch', '2']],
    ['lanes', ['--lanes', '2']],
    ['both, and automatic', ['--batch', 'auto', '--lanes', '2']],
    ['shards', ['--shard', '1/1']],
  ])('keeps all with another %s', async (_, more) => {
    const out = fresh();
    await run(out, ...more);
    expect(contents(out)).toEqual(contents(whole));
    expect((await run(out, '--resume')).made).toEqual([]);
  });

  it('notices another input of the same name, and another mask of the same path', async () => {
    const out = fresh();
    const [image, mask] = [at('one/x.png'), at('mask.png')];
    const args = [image, '--task', 'inpaint', '--mask', mask, ...quick, '-o', out, '--resume'];
    const again = async () => (await restore(args)).stdout !== '';
    await writePicture(image, 16, 1);
    await writeHalfMask(mask, 16, 16);
    expect([await again(), await again()]).toEqual([true, false]);
    await writePicture(image, 16, 2);
    expect([await again(), await again()]).toEqual([true, false]);
    await writePicture(mask, 16, 3);
    expect([await again(), await again()]).toEqual([true, false]);
  });

  it('notices other weights in a file beside the model', async () => {
    const [out, file] = [fresh(), at('beside.onnx')];
    const write = async (weight: number): Promise<void> => {
      const b = new GraphBuilder();
      const x = b.input('x', 'float32', [1, 3, 16, 16]);
      b.input('t', 'float32', [1]);
      const values = new Float32Array(3).fill(weight);
      const w = b.initializer('w', initializerFrom('float32', [3, 1, 1], values));
      b.output(b.mul(x, w), 'eps');
      await writeGraph(b.graph, file, { externalFrom: 1 });
    };
    const args = [
      at('clean/a.png'),
      ...options,
      '--model',
      file,
      '--steps',
      '2',
      '-o',
      out,
      '--resume',
    ];
    const again = async () => (await restore(args)).stdout !== '';
    await write(0.5);
    const model = readFileSync(file);
    expect([await again(), await again()]).toEqual([true, false]);
    await write(0.25);
    expect(readFileSync(file)).toEqual(model);
    expect([await again(), await again()]).toEqual([true, false]);
  });

  it('--json tells of kept results what it told when they were made', async () => {
    const out = fresh();
    const first = await run(out, '--json');
    const second = await run(out, '--json', '--resume');
    expect(JSON.parse(second.stdout)).toEqual(JSON.parse(first.stdout));
  });
});

it('summary leaves out what is gone or damaged, and says so', async () => {
  const out = fresh();
  await run(out);
  rmSync(join(out, 'deep/d.png'));
  rmSync(join(out, 'c.trace.webp'));
  truncateSync(join(out, 'b.measurement.png'));
  appendFileSync(join(out, 'e.png'), '.');
  const done = await dsg(['summary', out]);
  expect(done.code).toBe(1);
  expect(done.stdout).toMatch(/^.*a\.png .*\n1 result\n$/);
  for (const complaint of [
    'deep/d.png: no such file or folder',
    'c.trace.webp: no such file or folder',
    'b.measurement.png: not what b.json was written with',
    'e.png: not what e.json was written with',
  ])
    expect(done.stderr).toContain(complaint);
  const { results, failures } = JSON.parse((await dsg(['summary', out, '--json'])).stdout);
  expect([results.length, failures.length]).toEqual([1, 4]);
});

describe('what killed runs leave', () => {
  it('is cleared by the next run, and what living runs are writing is not', async () => {
    const out = fresh();
    await mkdir(join(out, 'deep'), { recursive: true });
    // A process that has come and gone; this very process; what has the number of the first elsewhere.
    const { pid } = spawnSync(process.execPath, ['--version']);
    const dead = temporaryName().replace(`-${process.pid}-`, `-${pid}-`);
    const [alive, foreign] = [temporaryName(), `.dsg-01234567-${pid}-${'0'.repeat(36)}.tmp`];
    for (const name of [dead, `deep/${dead}`, alive, foreign]) writeFileSync(join(out, name), 'x');
    expectDone(await run(out));
    const left = filesIn(out).filter((name) => name.includes('.tmp'));
    expect(left.sort()).toEqual([alive, foreign].sort());
  });
});

describe('when results cannot be written', () => {
  it('stops at a vanished folder without making it anew', async () => {
    const out = fresh();
    const done = await restore([at('clean'), ...options, ...quick, '-o', out], {
      watch: (text) =>
        text.startsWith('image 2 of 5') &&
        rmSync(out, { recursive: true, force: true, maxRetries: 3 }),
    });
    expect(done.stderr).toContain(`error: ${out}: the folder for the results is no longer there`);
    expect(done.code).toBe(1);
    expect(existsSync(out)).toBe(false);
  });

  it('makes no folder anew that vanishes while an image is written', async () => {
    const gone = fresh();
    const image = zeros([3, 4, 4]);
    await expect(writeResult(join(gone, 'a.png'), image, 'png')).rejects.toThrow(/cannot write/);
    const frames = [{ index: 0, x0: image }];
    await expect(writeTrace(join(gone, 'a'), frames)).rejects.toThrow(/cannot write/);
    expect(existsSync(gone)).toBe(false);
  });

  it('loses nothing on a full disk, and goes on with room', async ({ skip }) => {
    const disk = at('disk');
    mkdirSync(disk);
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=96k', 'tmpfs', disk]);
    if (mount.status !== 0) skip('file systems cannot be mounted here');
    try {
      const done = await run(disk);
      expect(done.code).toBe(1);
      expect(done.stderr).toMatch(
        /error: cannot write .*: no space left on the device\nhint: .*--resume/,
      );
      expect(done.made.length).toBeGreaterThan(0);
      expect(done.made.length).toBeLessThan(names.length);
      expect(filesIn(disk).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      spawnSync('mount', ['-o', 'remount,size=1m', disk]);
      const resumed = await run(disk, '--resume');
      expectDone(resumed);
      expect([...done.made, ...resumed.made].sort()).toEqual(names);
      expect(contents(disk)).toEqual(contents(whole));
    } finally {
      // Busy or not: nothing is left of it once nobody has a file open there.
      spawnSync('umount', ['-l', disk]);
    }
  });
});
