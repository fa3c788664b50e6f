import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import sharp from 'sharp';
import { fail } from '../../src/cli/errors.ts';
import { writeImage } from '../../src/image/write.ts';
import { readNpy, writeNpy } from '../../src/tensor/npy.ts';
import { gaussian, noiseKey } from '../../src/tensor/noise.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { expectDone, filesIn, picture, restore, writeHalfMask, writePicture } from './harness.ts';
import { writeFailing, writeSelective, writeShrinking } from './models.ts';

const folder = temporaryFolder();
const model = writeShrinking(join(folder, 'shrinking.onnx'));
const quick = ['--model', model, '--steps', '5'];
const blur = ['--task', 'deblur', '--kernel-size', '5', '--kernel-std', '1'];
const [a, b, c] = (await Promise.all(
  ['a', 'b', 'c'].map((name, i) => writePicture(join(folder, `clean/${name}.png`), 16, i)),
)) as [string, string, string];

let runs = 0;
/** A folder that no other run writes to. */
function fresh(): string {
  return join(folder, `out-${runs++}`);
}

/** Digests of files, which fail with less to read than their bytes. */
function digests(out: string, names: readonly string[]): string[] {
  return names.map((name) =>
    createHash('sha256')
      .update(readFileSync(join(out, name)))
      .digest('hex'),
  );
}

function json(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

describe('restore --simulate', () => {
  it.each([
    ['inpaint', [], ['a.mask.png']],
    ['inpaint', ['--mask', 'box'], ['a.mask.png']],
    ['sr', ['--scale', '2'], []],
    ['deblur', ['--kernel-size', '5', '--kernel-std', '1'], []],
  ])('--task %s %j leaves result, sidecar and measurement', async (task, options, others) => {
    const out = fresh();
    const done = await restore([a, '--task', task, ...options, '--simulate', '-o', out, ...quick]);
    expectDone(done);
    const files = ['a.json', ...others, 'a.measurement.png', 'a.operator.json', 'a.png'];
    expect(filesIn(out)).toEqual(files.sort());
    expect(done.stdout).toMatch(
      /a\.png {2}PSNR \d+\.\d\d dB {2}SSIM -?\d\.\d{4} {2}\(measurement: /,
    );
    expect(done.stderr).toContain(`shrinking.onnx: ${task}, dsg rate `);
  });

  it('says what sr was compared with', async () => {
    const done = await restore([a, '--task', 'sr', '--simulate', '-o', fresh(), ...quick]);
    expect(done.stdout).toContain('enlarged with Lanczos');
  });

  it('restores with each method and sampler', async () => {
    for (const options of [
      ['--method', 'dps'],
      ['--method', 'none', '--eta', '0'],
      ['--method', 'pigdm', '--temperature', '0.9'],
      ['--sampler', 'ddpm', '--variance', 'fixed_large'],
    ]) {
      const done = await restore([a, ...blur, '--simulate', '-o', fresh(), ...quick, ...options]);
      expectDone(done);
    }
  });

  it('brings images to the size of the model or of the scale', async () => {
    const fixed = writeShrinking(join(folder, 'fixed.onnx'), { open: false });
    const wide = await writePicture(join(folder, 'wide.png'), 20);
    for (const fit of ['crop', 'resize']) {
      const out = fresh();
      const options = [...blur, '--simulate', '-o', out, '--model', fixed, '--steps', '2'];
      const done = await restore([wide, ...options, '--fit', fit]);
      expectDone(done);
      expect(await sharp(join(out, 'wide.png')).metadata()).toMatchObject({
        width: 16,
        height: 16,
      });
    }
    const out = fresh();
    const options = ['--task', 'sr', '--scale', '8', '--simulate', '--fit', 'pad'];
    const done = await restore([wide, ...options, '-o', out, ...quick]);
    expectDone(done);
    expect(await sharp(join(out, 'wide.png')).metadata()).toMatchObject({ width: 24, height: 24 });
  });
});

describe('restore of measurements', () => {
  it('takes what hides behind a mask for unknown, and says the residual', async () => {
    const mask = await writeHalfMask(join(folder, 'half.png'), 16, 16);
    const options = ['--task', 'inpaint', '--mask', mask, '--format', 'npy', ...quick];
    const [clean, dirty] = [fresh(), fresh()];
    const hidden = picture(16);
    hidden.data.forEach((_, i) => i % 16 >= 8 && (hidden.data[i] = 0.9));
    mkdirSync(join(folder, 'dirty'));
    await writeImage(join(folder, 'dirty/a.png'), hidden, 'png');
    const done = await restore([a, ...options, '-o', clean]);
    expect(done.stdout).toMatch(/a\.npy {2}residual \d/);
    await restore([join(folder, 'dirty/a.png'), ...options, '-o', dirty]);
    expect(digests(dirty, ['a.npy'])).toEqual(digests(clean, ['a.npy']));
  });

  it('fits measurement and mask to a model of one size', async () => {
    const fixed = writeShrinking(join(folder, 'fixed-24.onnx'), { open: false, size: 24 });
    const mask = await writeHalfMask(join(folder, 'half-16.png'), 16, 16);
    // A margin is the network's own business; what comes back has the image's size.
    for (const [fit, side] of Object.entries({ pad: 16, resize: 24 })) {
      const out = fresh();
      const options = ['--task', 'inpaint', '--mask', mask, '--model', fixed, '--steps', '2'];
      const done = await restore([a, ...options, '--fit', fit, '-o', out]);
      expectDone(done);
      expect(await sharp(join(out, 'a.png')).metadata()).toMatchObject({
        width: side,
        height: side,
      });
    }
  });

  it('takes any kernel from a file, as an image or an array', async () => {
    const kernel = join(folder, 'kernel.png');
    const data = Buffer.from([0, 128, 0, 128, 255, 128, 0, 128, 0]);
    await sharp(data, { raw: { width: 3, height: 3, channels: 1 } })
      .png()
      .toFile(kernel);
    const out = fresh();
    const options = ['--task', 'deblur', '--kernel', kernel, '--simulate', '-o', out, ...quick];
    const done = await restore([a, ...options]);
    expectDone(done);
    const written = await readNpy(join(out, 'a.kernel.npy'));
    expect(written.shape).toEqual([3, 3]);
    expect(written.data.reduce((s, v) => s + v, 0)).toBeCloseTo(1, 5);
    const again = ['--task', 'deblur', '--kernel', join(out, 'a.kernel.npy'), ...quick];
    expect((await restore([a, ...again, '-o', fresh()])).code).toBe(0);
  });

  it('uses recorded noise', async () => {
    const replay = join(folder, 'replay');
    mkdirSync(replay);
    const key = noiseKey(7, 'a');
    await writeNpy(join(replay, 'x_T.npy'), gaussian(key, 'x_T', 0, [1, 3, 16, 16]));
    const rows = [4, 3, 2, 1, 0].map((step) => gaussian(key, 'step', step, [1, 3, 16, 16]));
    const noise = Float32Array.from(rows.flatMap((r) => [...r.data]));
    await writeNpy(join(replay, 'noise.npy'), { shape: [5, 1, 3, 16, 16], data: noise });
    const [drawn, replayed] = [fresh(), fresh()];
    const options = [a, ...blur, '--format', 'npy', ...quick];
    await restore([...options, '--seed', '7', '-o', drawn]);
    const done = await restore([...options, '--replay', replay, '-o', replayed]);
    expectDone(done);
    expect(digests(replayed, ['a.npy'])).toEqual(digests(drawn, ['a.npy']));
  });
});

describe('where results go', () => {
  it('mirrors folders, and passes over what dsg wrote', async () => {
    const input = join(folder, 'tree');
    for (const file of ['x.png', 'deep/x.png', 'deep/er/y.npy'])
      await writePicture(join(input, file), 16);
    for (const file of ['x.mask.png', 'x.measurement.png', 'deep/x.x0.png', 'x.trace/0001.png'])
      await writePicture(join(input, file), 16);
    await writePicture(join(input, 'x.kernel.npy'), 16);
    // Results within the input are not inputs of the next run.
    const out = join(input, 'restored');
    for (let i = 0; i < 2; i++) {
      const done = await restore([input, ...blur, '-o', out, ...quick]);
      expectDone(done);
      expect(filesIn(out)).toEqual([
        'deep/er/y.json',
        'deep/er/y.png',
        'deep/x.json',
        'deep/x.png',
        'x.json',
        'x.png',
      ]);
    }
  });

  it.each(['png', 'webp', 'tiff', 'npy'])('-o FILE.%s is a file of that format', async (format) => {
    const out = fresh();
    const done = await restore([a, ...blur, '-o', join(out, `deep/one.${format}`), ...quick]);
    expectDone(done);
    expect(filesIn(out)).toEqual(['deep/one.json', `deep/one.${format}`].sort());
    const file = join(out, `deep/one.${format}`);
    const kind = format === 'npy' ? 'npy' : (await sharp(file).metadata()).format;
    expect(kind).toBe(format);
  });

  it('--format npy is float32 [1,3,H,W]', async () => {
    const out = fresh();
    await restore([a, ...blur, '--format', 'npy', '-o', out, ...quick]);
    expect((await readNpy(join(out, 'a.npy'))).shape).toEqual([1, 3, 16, 16]);
  });

  it('--trace keeps x0 every k steps and the last, and no older frames', async () => {
    const out = fresh();
    const options = [a, ...blur, '--model', model, '-o', out];
    await restore([...options, '--trace', '3', '--steps', '9']);
    const done = await restore([...options, '--trace', '2', '--steps', '4']);
    expectDone(done);
    expect(filesIn(out)).toEqual([
      'a.json',
      'a.png',
      'a.trace.webp',
      'a.trace/0000.png',
      'a.trace/0001.png',
      'a.trace/0003.png',
    ]);
    const { width, pages } = await sharp(join(out, 'a.trace.webp')).metadata();
    expect({ width, pages }).toEqual({ width: 16, pages: 3 });
  });

  it('--trace has one frame of the steps that are averaged', async () => {
    const out = fresh();
    const options = ['--method', 'pigdm', '--average', '3', '--trace', '2'];
    expectDone(await restore([a, ...blur, ...options, '-o', out, ...quick]));
    expect(filesIn(out).filter((f) => f.startsWith('a.trace/'))).toEqual([
      'a.trace/0000.png',
      'a.trace/0002.png',
    ]);
    expect((await sharp(join(out, 'a.trace.webp')).metadata()).pages).toBe(2);
  });

  it('a file where the folder of a trace should be fails that image alone', async () => {
    const out = fresh();
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'a.trace'), '');
    const done = await restore([a, b, ...blur, '--trace', '2', '-o', out, ...quick]);
    expect(done).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a.trace: a file of that name is in the way'),
    });
    expect(filesIn(out)).toContain('b.json');
    expect(filesIn(out)).not.toContain('a.json');
  });

  it('--json prints one document with what the sidecars say', async () => {
    const out = fresh();
    const done = await restore([a, b, ...blur, '--simulate', '-o', out, '--json', ...quick]);
    const document = JSON.parse(done.stdout) as { results: Record<string, unknown>[] };
    expect(document).toMatchObject({ schema: 1, failures: [] });
    expect(document.results).toHaveLength(2);
    const { files, ...rest } = document.results[1] as Record<string, unknown>;
    expect(rest).toEqual(json(join(out, 'b.json')));
    expect(files).toEqual({
      image: join(out, 'b.png'),
      sidecar: join(out, 'b.json'),
      others: [join(out, 'b.measurement.png'), join(out, 'b.operator.json')],
    });
  });

  it('the sidecar holds what is needed to repeat and to judge a result', async () => {
    const out = fresh();
    await restore([a, ...blur, '--simulate', '--noise', '0.1', '-o', out, ...quick]);
    const sidecar = json(join(out, 'a.json')) as Record<string, number>;
    expect(sidecar).toMatchObject({
      schema: 1,
      versions: { dsg: expect.any(String), node: process.version, onnxruntime: expect.any(String) },
      input: { file: 'a.png', name: 'a', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      image: { width: 16, height: 16 },
      model: {
        file: 'shrinking.onnx',
        card: null,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
      options: {
        task: 'deblur',
        method: { name: 'dsg', rate: 0.1, interval: 1 },
        sampler: { name: 'ddim', eta: 1 },
        steps: 5,
        seed: 0,
        device: 'cpu',
      },
      operator: { task: 'deblur', size: 5, std: 1 },
      noise: { sigma: 0.1, range: '[-1,1]' },
      metrics: { result: { psnr: expect.any(Number), ssim: expect.any(Number) } },
      timing: { batch: 1, secondsPerStep: expect.any(Number) },
    });
    expect(sidecar['expectedNoiseNorm']).toBeCloseTo(0.1 * Math.sqrt(3 * 16 * 16), 6);
    expect(sidecar['residual']).toBeGreaterThan(0);
  });

  it('the sidecar has the card, with which another run gives the same bytes', async () => {
    const file = writeShrinking(join(folder, 'carded.onnx'));
    const beside = join(folder, 'carded.card.json');
    writeFileSync(
      beside,
      JSON.stringify({ prediction: 'v', schedule: { name: 'cosine', timesteps: 500 } }),
    );
    const given = [a, ...blur, '--simulate', '--model', file, '--steps', '4'];
    const [out, again] = [fresh(), fresh()];
    expectDone(await restore([...given, '--card', 'clip=false', '-o', out]));
    const { model } = json(join(out, 'a.json')) as { model: { effectiveCard: object } };
    expect(model.effectiveCard).toMatchObject({
      prediction: 'v',
      clip: false,
      schedule: { name: 'cosine', timesteps: 500 },
      inputs: { x: 'x', timestep: 't' },
    });
    rmSync(beside);
    const kept = join(folder, 'kept.card.json');
    writeFileSync(kept, JSON.stringify(model.effectiveCard));
    const done = await restore([...given, '--card-file', kept, '-o', again]);
    expectDone(done);
    expect(done.stderr).not.toContain('unknown field');
    expect(digests(again, ['a.png'])).toEqual(digests(out, ['a.png']));
    const repeated = json(join(again, 'a.json'));
    const { effectiveCard } = model;
    expect(repeated).toMatchObject({
      model: { effectiveCard },
      options: { cardFile: 'kept.card.json' },
    });
  });

  it.each<[string, string[], object]>([
    ['inpaint', [], { mask: 'random' }],
    ['inpaint', ['--mask', 'box'], { mask: 'box' }],
    ['inpaint', ['--mask', join(folder, 'half.png')], { mask: 'half.png' }],
    ['deblur', ['--kernel', join(folder, 'kernel.npy')], { kernel: 'kernel.npy' }],
  ])('the sidecar says where the degradation comes from: %s %j', async (task, how, said) => {
    await writeHalfMask(join(folder, 'half.png'), 16, 16);
    await writeNpy(join(folder, 'kernel.npy'), tensor([3, 3], new Float32Array(9).fill(1 / 9)));
    const out = fresh();
    expectDone(await restore([a, '--task', task, ...how, '--simulate', '-o', out, ...quick]));
    expect(json(join(out, 'a.json'))).toMatchObject({ options: said });
  });

  it('has the image side that the default prior takes a step size of DPS for, but not of one given', async () => {
    const methodOf = async (...options: string[]) => {
      const out = fresh();
      const few = ['--method', 'dps', '--steps', '1', ...options];
      expectDone(await restore([a, '--task', 'sr', '--simulate', '-o', out, ...few]));
      return (json(join(out, 'a.json')) as { options: { method: object } }).options.method;
    };
    expect(await methodOf()).toMatchObject({ name: 'dps', side: 256 });
    expect(await methodOf('--step-size', '3')).not.toHaveProperty('side');
  });

  it.each<[string, string[], number | undefined]>([
    ['a plain norm needs none', [], undefined],
    ['a likelihood of a measurement without a record', ['--method', 'pigdm'], 0.05],
    ['a whitened residual', ['--whiten', '1'], 0.05],
    ['--noise says it', ['--method', 'pigdm', '--noise', '0.1'], undefined],
  ])('has the noise that is assumed: %s', async (_, options, assumed) => {
    const out = fresh();
    const done = await restore([a, b, ...blur, ...options, '-o', out, ...quick]);
    expectDone(done);
    const said = json(join(out, 'b.json')) as { options: { assumedNoise?: number } };
    expect(said.options.assumedNoise).toBe(assumed);
    expect(done.stderr.match(/noise of 0\.05 on \[-1,1\] is assumed/g) ?? []).toHaveLength(
      assumed === undefined ? 0 : 1,
    );
  });

  it('--quiet says nothing but results', async () => {
    const done = await restore([a, ...blur, '-o', fresh(), '-q', ...quick]);
    expect(done.stderr).toBe('');
    expect(done.stdout.split('\n')).toHaveLength(2);
  });
});

describe('reproducibility', () => {
  const names = ['a.npy', 'b.npy', 'c.npy'];
  const options = [...blur, '--simulate', '--format', 'npy', ...quick];

  it('gives the same bytes alone, in any batch, in any order and twice', async () => {
    const [reference, ...others] = await Promise.all(
      [
        [a, b, c],
        [a, b, c],
        [c, a, b],
        [join(folder, 'clean'), '--batch', '3'],
        [c, b, a, '--batch', '2'],
      ].map(async (args) => {
        const out = fresh();
        const done = await restore([...args, ...options, '-o', out]);
        expectDone(done);
        return digests(out, names);
      }),
    );
    for (const other of others) expect(other).toEqual(reference);
  });

  it('gives other results for another seed and another name', async () => {
    const [out, seeded] = [fresh(), fresh()];
    copyFileSync(a, join(folder, 'renamed.png'));
    await restore([a, join(folder, 'renamed.png'), ...options, '-o', out]);
    await restore([a, ...options, '--seed', '1', '-o', seeded]);
    const [first, renamed] = digests(out, ['a.npy', 'renamed.npy']);
    expect(renamed).not.toEqual(first);
    expect(digests(seeded, ['a.npy'])).not.toEqual([first]);
  });

  it.each([
    ['inpaint', []],
    ['sr', ['--scale', '2']],
    ['deblur', ['--kernel-size', '5']],
  ])('holds for the default model too: %s', async (task, more) => {
    const [alone, batched] = [fresh(), fresh()];
    const args = [
      a,
      b,
      c,
      '--task',
      task,
      ...more,
      '--simulate',
      '--format',
      'npy',
      '--steps',
      '3',
    ];
    await restore([...args, '-o', alone]);
    const done = await restore([...args, '--batch', '3', '-o', batched]);
    expectDone(done);
    expect(digests(batched, names)).toEqual(digests(alone, names));
  });
});

describe('when things go wrong on the way', () => {
  it('stops a batch at NaN, says where, and leaves nothing of it', async () => {
    const out = fresh();
    const failing = writeFailing(join(folder, 'failing.onnx'));
    const args = [a, ...blur, '-o', out, '--model', failing, '--steps', '10', '--method', 'none'];
    const done = await restore(args);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('a.png: eps is NaN at step 4 (timestep 444)');
    expect(filesIn(out)).toEqual([]);
  });

  it('keeps what was finished before, and goes on with what comes after', async () => {
    const signs = [...'defghijklmnopqrstuvwxyz'].map((name) => ({
      name,
      negative: (gaussian(noiseKey(0, name), 'x_T', 0, [1]).data[0] as number) < 0,
    }));
    const bad = signs.find((s) => s.negative)?.name as string;
    const [first, last] = signs.filter((s) => !s.negative).map((s) => s.name) as [string, string];
    const inputs = await Promise.all(
      [first, bad, last].map((name) => writePicture(join(folder, `nan/${name}.png`), 16)),
    );
    const selective = writeSelective(join(folder, 'selective.onnx'));
    const options = [...blur, '--model', selective, '--steps', '5', '--method', 'none', '--json'];
    const out = fresh();
    const done = await restore([...inputs, ...options, '-o', out]);
    expect(done.code).toBe(1);
    expect(filesIn(out)).toEqual(
      [`${first}.json`, `${first}.png`, `${last}.json`, `${last}.png`].sort(),
    );
    expect(done.stderr).toContain(`error: 1 of 3 images failed: ${inputs[1]}`);
    expect(JSON.parse(done.stdout)).toMatchObject({
      results: [{ input: { name: first } }, { input: { name: last } }],
      failures: [{ input: inputs[1], error: expect.stringContaining('step 4 (timestep 999)') }],
    });

    // The images beside it in a batch begin anew, and become what they are alone.
    const together = fresh();
    const batched = await restore([...inputs, ...options, '--batch', '3', '-o', together]);
    expect(batched.code).toBe(1);
    expect(filesIn(together)).toEqual(filesIn(out));
    const results = [`${first}.png`, `${last}.png`];
    expect(digests(together, results)).toEqual(digests(out, results));
  });

  it('ends with 130 when interrupted, keeping finished images', async () => {
    const out = fresh();
    const abort = new AbortController();
    const done = await restore([a, b, c, ...blur, '-o', out, ...quick, '--json'], {
      signal: abort.signal,
      watch: (text) => text.startsWith('image 2 of 3') && abort.abort(),
    });
    expect(done.code).toBe(130);
    expect(done.stderr).toContain('interrupted: images finished before stay');
    expect(filesIn(out)).toEqual(['a.json', 'a.png']);
    expect(JSON.parse(done.stdout)).toMatchObject({ results: [{ input: { name: 'a' } }] });
  });

  it('calls what nobody foresaw a defect, with exit code 2', async () => {
    let stderr = '';
    const output = { write: (text: string) => (stderr += text) };
    expect(fail(new RangeError('off by one'), { stdout: output, stderr: output, env: {} })).toBe(2);
    expect(stderr).toMatch(
      /error: RangeError: off by one\n +at .*\n[^]*hint: this is a defect of dsg/,
    );
  });
});
