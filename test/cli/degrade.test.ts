import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../src/tensor/npy.ts';
import { digestsOf } from '../helpers/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { expectDone, dsg, filesIn, restore, writeHalfMask, writePicture } from './harness.ts';
import { writeShrinking } from './models.ts';

const folder = temporaryFolder();
const model = writeShrinking(join(folder, 'model.onnx'));
const quick = ['--model', model, '--steps', '4'];
const clean = join(folder, 'clean');
await writePicture(join(clean, 'a.png'), 16);
await writePicture(join(clean, 'deep/b.png'), 16, 3);
const kernel = join(folder, 'kernel.npy');
await writeNpy(kernel, { shape: [3, 3], data: new Float32Array(9).fill(1 / 9) });
const mask = await writeHalfMask(join(folder, 'mask.png'), 16, 16);

let runs = 0;
function fresh(): string {
  return join(folder, `out-${runs++}`);
}

describe.each([
  ['inpaint', ['--mask', 'random'], ['a.mask.png', 'deep/b.mask.png']],
  ['inpaint', ['--mask', 'box'], ['a.mask.png', 'deep/b.mask.png']],
  ['inpaint', ['--mask', mask], ['a.mask.png', 'deep/b.mask.png']],
  ['sr', ['--scale', '2'], []],
  ['deblur', ['--kernel-size', '7', '--kernel-std', '1.5'], []],
  ['deblur', ['--kernel', kernel], ['a.kernel.npy', 'deep/b.kernel.npy']],
])('--task %s %j', (task, options, extra) => {
  const degradation = ['--task', task, ...options, '--noise', '0.1', '--seed', '5'];

  it('then restore gives what --simulate gives, byte for byte', async () => {
    const [degraded, restored, simulated] = [fresh(), fresh(), fresh()];
    const made = await dsg(['degrade', clean, ...degradation, '--format', 'npy', '-o', degraded]);
    expectDone(made);
    const each = ['.measurement.png', '.npy', '.operator.json'];
    const names = ['a', 'deep/b'].flatMap((name) => each.map((end) => `${name}${end}`));
    expect(filesIn(degraded)).toEqual([...names, ...extra].sort());

    const common = [...quick, '--format', 'npy', '--seed', '5'];
    const done = await restore([degraded, ...common, '-o', restored]);
    expectDone(done);
    const direct = await restore([
      clean,
      ...degradation,
      '--simulate',
      ...common.slice(0, -2),
      '-o',
      simulated,
    ]);
    expectDone(direct);
    for (const name of ['a.npy', 'deep/b.npy'])
      expect(readFileSync(join(restored, name)).equals(readFileSync(join(simulated, name)))).toBe(
        true,
      );
    // The measurement that --simulate keeps is the same, too, and can be restored by itself.
    const kept = join(simulated, 'a.measurement.npy');
    expect((await readNpy(kept)).data).toEqual((await readNpy(join(degraded, 'a.npy'))).data);
    const again = fresh();
    await restore([kept, ...common, '-o', again]);
    expect(readFileSync(join(again, 'a.npy')).equals(readFileSync(join(simulated, 'a.npy')))).toBe(
      true,
    );
  });
});

describe('the operator record', () => {
  const blur = ['--task', 'deblur', '--kernel-size', '7', '--kernel-std', '1.5'];

  it('tells the noise, by which a result is judged', async () => {
    const [degraded, out] = [fresh(), fresh()];
    await dsg(['degrade', join(clean, 'a.png'), ...blur, '--noise', '0.2', '-o', degraded]);
    const done = await restore([degraded, ...quick, '-o', out]);
    expect(done.stdout).toMatch(/a\.png {2}residual [\d.]+, of the noise 5\.543\n/);
  });

  it('is not needed where the options say all of it, the noise too', async () => {
    const [degraded, recorded, told] = [fresh(), fresh(), fresh()];
    const noisy = [...blur, '--noise', '0.2'];
    await dsg(['degrade', join(clean, 'a.png'), ...noisy, '--format', 'npy', '-o', degraded]);
    const whitened = [...quick, '--whiten', '0.3', '--format', 'npy'];
    expectDone(await restore([degraded, ...whitened, '-o', recorded]));
    rmSync(join(degraded, 'a.operator.json'));
    expectDone(await restore([degraded, ...noisy, ...whitened, '-o', told]));
    const result = (folder: string): Buffer => readFileSync(join(folder, 'a.npy'));
    expect(result(told).equals(result(recorded))).toBe(true);
    // Of other noise, another image: it is what the residual is weighed by.
    const other = fresh();
    expectDone(await restore([degraded, ...blur, ...whitened, '-o', other]));
    expect(result(other).equals(result(recorded))).toBe(false);
  });

  it.each<[options: string[], message: string]>([
    [['--task', 'sr'], '--task sr contradicts a.operator.json, which says deblur'],
    [['--kernel-size', '9'], '--kernel-size 9 contradicts a.operator.json, which says 7'],
    [['--kernel-std', '2'], '--kernel-std 2 contradicts a.operator.json, which says 1.5'],
    [['--noise', '0.1'], '--noise 0.1 contradicts a.operator.json, which says 0.05'],
    [['--kernel', kernel], 'contradicts a.operator.json, which says another kernel'],
    [['--scale', '2'], '--scale belongs to --task sr, and the task is deblur'],
  ])('refuses %j', async (options, message) => {
    const degraded = fresh();
    await dsg(['degrade', join(clean, 'a.png'), ...blur, '-o', degraded]);
    const done = await restore([degraded, ...options, ...quick, '-o', fresh()]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain(message);
    const same = await restore([degraded, ...blur, ...quick, '-o', fresh()]);
    expectDone(same);
  });

  it('is held against the mask that lies beside it', async () => {
    const degraded = fresh();
    await dsg(['degrade', join(clean, 'a.png'), '--task', 'inpaint', '-o', degraded]);
    const other = await restore([degraded, '--mask', mask, ...quick, '-o', fresh()]);
    expect(other.stderr).toContain('contradicts a.operator.json, which says another mask');
    cpSync(mask, join(degraded, 'a.mask.png'));
    const done = await restore([degraded, ...quick, '-o', fresh()]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('a.mask.png: not what a.operator.json was written with');
  });

  it('is held against the measurement, which another one may have replaced', async () => {
    const [degraded, other] = [fresh(), fresh()];
    const measure = (...more: string[]) => dsg(['degrade', join(clean, 'a.png'), ...blur, ...more]);
    await measure('-o', degraded);
    await measure('--seed', '1', '-o', other);
    const record = join(degraded, 'a.operator.json');
    expect(JSON.parse(readFileSync(record, 'utf8'))).toMatchObject({ files: [{ file: 'a.png' }] });
    cpSync(join(other, 'a.png'), join(degraded, 'a.png'));
    const message = 'a.png: not what a.operator.json was written with';
    const done = await restore([degraded, ...quick, '-o', fresh()]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain(message);
    const result = join(clean, 'a.png');
    const scored = await dsg(['eval', result, result, '--measurements', degraded]);
    expect(scored.stderr).toContain(message);
    // Records of before named no digests.
    const { files: _, ...old } = JSON.parse(readFileSync(record, 'utf8'));
    writeFileSync(record, JSON.stringify(old));
    expectDone(await restore([degraded, ...quick, '-o', fresh()]));
  });

  it('stays with its measurement where another cannot be written whole', async () => {
    const degraded = fresh();
    const measure = (...more: string[]) =>
      dsg(['degrade', join(clean, 'a.png'), '-o', degraded, ...more]);
    expectDone(await measure(...blur));
    const before = digestsOf(degraded, filesIn(degraded));
    mkdirSync(join(degraded, 'a.mask.png'));
    const done = await measure('--task', 'inpaint');
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('a.mask.png: it is not a regular file');
    expect(digestsOf(degraded, filesIn(degraded))).toEqual(before);
  });

  it.each<[what: string, content: string, message: RegExp]>([
    ['text', 'hello', /a\.operator\.json: not JSON/],
    [
      'another schema',
      '{"schema":2}',
      /a\.operator\.json: schema: .*\nhint: operator records are written by/,
    ],
  ])('is refused when it is %s', async (_, content, message) => {
    const degraded = fresh();
    await dsg(['degrade', join(clean, 'a.png'), ...blur, '-o', degraded]);
    writeFileSync(join(degraded, 'a.operator.json'), content);
    const done = await restore([degraded, ...quick, '-o', fresh()]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(message);
  });

  it('does not vouch for another file of its name, such as a result', async () => {
    const simulated = fresh();
    await restore([join(clean, 'a.png'), ...blur, '--simulate', ...quick, '-o', simulated]);
    const done = await restore([simulated, ...quick, '-o', fresh()]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain(
      'a.png: not the measurement that a.operator.json describes (a.measurement.png)',
    );
  });
});

it('several tasks can be restored in one run', async () => {
  const degraded = fresh();
  await dsg(['degrade', join(clean, 'a.png'), '--task', 'sr', '-o', degraded]);
  renameSync(join(degraded, 'a.operator.json'), join(folder, 'kept.json'));
  await dsg(['degrade', join(clean, 'deep/b.png'), '--task', 'inpaint', '-o', degraded]);
  renameSync(join(folder, 'kept.json'), join(degraded, 'a.operator.json'));
  const out = fresh();
  const done = await restore([degraded, ...quick, '-o', out]);
  expectDone(done);
  expect(done.stderr).toMatch(/model\.onnx: sr, dsg[^]*model\.onnx: inpaint, dsg/);
  expect(filesIn(out)).toEqual(['a.json', 'a.png', 'b.json', 'b.png']);
});

it('degrade --json lists what was written', async () => {
  const out = fresh();
  const done = await dsg([
    'degrade',
    join(clean, 'a.png'),
    '--task',
    'sr',
    '-o',
    join(out, 'y.webp'),
    '--json',
  ]);
  expect(JSON.parse(done.stdout)).toMatchObject({
    results: [
      {
        name: 'a',
        operator: { task: 'sr', scale: 4 },
        files: [join(out, 'y.webp'), join(out, 'y.operator.json')],
      },
    ],
    failures: [],
  });
});
