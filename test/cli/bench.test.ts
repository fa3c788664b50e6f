import {
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sha256Of } from '../../src/files/sha256.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { parseResults, serializeResults, type Results } from '../../src/report/results.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { pipelineFolder } from '../helpers/latent.ts';
import { dsg, expectDone, filesIn, restore, writePicture, type Outcome } from './harness.ts';
import { writeFailing, writeShrinking } from './models.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const model = writeShrinking(at('model.onnx'));
const [clean, out] = [at('clean'), at('out')];
const common = ['--model', model, '--device', 'cpu', '--tasks', 'sr,inpaint', '--quiet'];
const shape = ['--methods', 'dsg,dps', '--steps', '2,3', '--samples', '2'];

const bench = (output: string, ...options: string[]): Promise<Outcome> =>
  dsg(['bench', clean, '-o', output, ...common, ...options]);
const read = (output: string): Results =>
  parseResults(readFileSync(join(output, 'results.json'), 'utf8'), output);

let first: Outcome;
beforeAll(async () => {
  await writePicture(join(clean, 'a.png'), 16);
  await writePicture(join(clean, 'deep/b.png'), 16, 3);
  first = await bench(out, ...shape);
});

describe('a benchmark', () => {
  it('restores every image in every way, and writes what it found', () => {
    expectDone(first);
    const { cells, groups, measurements, failures } = read(out);
    expect([cells.length, groups.length, measurements.length, failures.length]).toEqual([
      32, 8, 4, 0,
    ]);
    for (const { scores, loss, steps } of cells) {
      expect(Object.keys(scores)).toEqual([
        'psnr',
        'ssim',
        'residual',
        'residualRatio',
        'secondsPerStep',
      ]);
      expect(loss.map(([index]) => index)).toEqual(steps === 2 ? [1, 0] : [2, 1, 0]);
    }
    const files = filesIn(out);
    for (const { file } of [...cells, ...measurements, ...read(out).images])
      expect(files).toContain(file);
    for (const file of ['results.json', 'results.md', 'results.csv', 'report.html'])
      expect(files).toContain(file);
    expect(first.stdout).toContain('task     method  steps  images  PSNR dB  ±images  ±samples');
  });

  it('says what every number is', () => {
    const { metrics, groups } = read(out);
    for (const group of groups)
      expect(Object.keys(group.statistics).filter((m) => !(m in metrics))).toEqual([]);
    for (const { range, definition } of Object.values(metrics)) {
      expect(range).toHaveLength(2);
      expect(definition.length).toBeGreaterThan(20);
    }
  });

  it('freezes the operator: the record holds the mask of the results', () => {
    const { measurements } = read(out);
    for (const { operator, image, task } of measurements.filter((m) => m.task === 'inpaint')) {
      const file = join(out, `${task}/measurements/${image}.operator.json`);
      const record = JSON.parse(readFileSync(file, 'utf8'));
      expect(operator['mask']).toMatchObject({ sha256: record.operator.mask.sha256 });
    }
    expect(new Set(measurements.map((m) => m.sha256)).size).toBe(3);
  });

  it('gives what restore gives, byte for byte; further samples are others', async () => {
    const degradation = ['--task', 'sr', '--simulate', '--noise', '0.05'];
    const sampling = ['--model', model, '--method', 'dsg', '--steps', '3'];
    const done = await restore([clean, ...degradation, ...sampling, '-o', at('restored')]);
    expectDone(done);
    const bytes = (file: string): string => readFileSync(file).toString('base64');
    for (const name of ['a', 'deep/b']) {
      const sample = (k: number): string => bytes(join(out, `sr/dsg-3/${name}.sample${k}.png`));
      expect(sample(0)).toBe(bytes(at(`restored/${name}.png`)));
      expect(sample(1)).not.toBe(sample(0));
    }
  });

  it.each([
    ['pigdm', ['--temperature', '0.9'], 'pigdm, ddim eta 1 temperature 0.9'],
    ['dsg', ['--eta', '0.5'], /^dsg rate .*, ddim eta 0\.5$/],
    ['dps', ['--sampler', 'ddpm', '--variance', 'fixed_large'], /, ddpm variance fixed_large$/],
    ['pigdm', ['--average', '2'], 'pigdm average 2, ddim eta 1'],
  ])('by %s, with %j, too, and says so', async (method, step, settings) => {
    const name = [method, ...step].join('');
    const [benched, restored] = [at(`${name}-benched`), at(`${name}-restored`)];
    const how = ['--methods', method, '--steps', '3', ...step];
    expectDone(await bench(benched, ...how, '--tasks', 'sr'));
    const degradation = ['--task', 'sr', '--simulate', '--noise', '0.05', '--model', model];
    const sampling = ['--method', method, '--steps', '3', ...step];
    expectDone(await restore([clean, ...degradation, ...sampling, '-o', restored]));
    const [a, b] = [join(benched, `sr/${method}-3/a.sample0.png`), join(restored, 'a.png')];
    expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
    const { groups, cells, command } = read(benched);
    expect(groups[0]?.settings).toMatch(settings);
    expect(command).toContain(step.join(' '));
    expect(cells[0]?.loss.map(([index]) => index)).toEqual([2, 1, 0]);
  });

  it('run again makes nothing again but what is missing, damaged or was made otherwise', async () => {
    const before = read(out);
    const [gone, damaged, cut] = [before.cells[3]!, before.cells[9]!, before.cells[12]!];
    const [exchanged, other] = [before.cells[20]!, before.cells[22]!];
    rmSync(join(out, gone.file));
    writeFileSync(join(out, damaged.file.replace(/png$/, 'json')), '{');
    const picture = readFileSync(join(out, cut.file));
    writeFileSync(join(out, cut.file), picture.subarray(0, picture.length / 2));
    copyFileSync(join(out, other.file), join(out, exchanged.file));
    const anew = [gone, damaged, cut, exchanged].map((c) => c.hash);
    const kept = ({ cells }: Results) => cells.filter((c) => !anew.includes(c.hash));
    expectDone(await bench(out, ...shape));
    const after = read(out);
    // Times are of the run that made a cell.
    expect(kept(after)).toEqual(kept(before));
    expect(after.cells[3]!.seconds).not.toBe(gone.seconds);
    expect(after.cells[9]!.scores['psnr']).toBe(damaged.scores['psnr']);
    for (const [i, { file, sha256 }] of before.cells.entries()) {
      expect(after.cells[i]!.sha256).toBe(sha256);
      expect(sha256Of(readFileSync(join(out, file)))).toBe(sha256);
    }
    expect(after.groups.map((g) => g.statistics['psnr'])).toEqual(
      before.groups.map((g) => g.statistics['psnr']),
    );
  });

  it('a report can be made again from its results', async () => {
    const results = join(out, 'results.json');
    const over = await dsg(['report', out, '-o', results]);
    expect(over.stderr).toContain('a report is written as an .html file');
    const done = await dsg(['report', results, '-o', at('again.html')]);
    expectDone(done);
    expect(readFileSync(at('again.html')).equals(readFileSync(join(out, 'report.html')))).toBe(
      true,
    );
    expectDone(await dsg(['report', out, '-o', at('few.html'), '--images', '1']));
    const few = readFileSync(at('few.html'), 'utf8');
    expect(few).toContain('1 of 2 images, evenly spread over the range of PSNR');
  });
});

describe('regression', () => {
  const one = ['--methods', 'dsg', '--steps', '2'];
  const baseline = async (change: (results: Results) => void): Promise<string> => {
    const results = read(at('now'));
    change(results);
    writeFileSync(at('old.json'), serializeResults(results));
    return at('old.json');
  };
  beforeAll(async () => expectDone(await bench(at('now'), ...one)));

  it.each([
    ['the same', () => {}, [], 0],
    ['a little better', (r: Results) => (r.groups[0]!.statistics['psnr']!.mean += 0.05), [], 0],
    ['better', (r: Results) => (r.groups[0]!.statistics['psnr']!.mean += 0.2), [], 3],
    [
      'better, within a tolerance',
      (r: Results) => (r.groups[0]!.statistics['psnr']!.mean += 0.2),
      ['--tolerance', 'psnr=0.5'],
      0,
    ],
    ['other noise', (r: Results) => (r.measurements[0]!.sigma = 0.2), [], 1],
  ])('against a run that was %s', async (_, change, options, code) => {
    const file = await baseline(change);
    const done = await bench(at('now'), ...one, '--baseline', file, ...options);
    expect(done.code).toBe(code);
    expect(done.stderr.includes('fell short')).toBe(code === 3);
  });

  it.each([
    ['of fewer images', join(clean, 'a.png'), [], 'has 2 more: sr of deep/b, inpaint of deep/b'],
    ['of more samples', clean, ['--samples', '2'], 'made with --samples 1, not 2'],
  ])('a run %s is not compared', async (_, images, options, message) => {
    const file = await baseline(() => {});
    const fewer = ['bench', images, '-o', at('fewer'), ...common, ...one];
    const { code, stderr } = await dsg([...fewer, '--baseline', file, ...options]);
    expect(code).toBe(1);
    expect(stderr).toContain(`old.json: ${message}`);
    expect(stderr).toContain('hint: compare runs of the same images');
  });

  it('is against a run by other settings as well, which is said, once', async () => {
    const file = await baseline((r) => {
      for (const group of r.groups) group.settings = group.settings.replace('eta 1', 'eta 0.5');
    });
    const loud = common.filter((option) => option !== '--quiet');
    const run = ['bench', clean, '-o', at('now'), ...loud, ...one, '--baseline'];
    const { code, stderr } = await dsg([...run, file]);
    expect(code).toBe(0);
    expect(stderr.split('note: ').filter((text) => text.includes('old.json'))).toEqual([
      expect.stringMatching(/old\.json: made with eta 0\.5, not 1; compared all the same\n/),
    ]);
    const same = await dsg([...run, await baseline(() => {})]);
    expect(same.stderr).not.toContain('made with');
  });

  it('names what fell short', async () => {
    const file = await baseline((r) => (r.groups[1]!.statistics['psnr']!.mean = 99));
    const { stderr } = await bench(at('now'), ...one, '--baseline', file, '--min', 'ssim=0.9999');
    expect(stderr).toMatch(/sr dsg 2 +ssim +\S+ +at least 0.9999\n/);
    expect(stderr).toMatch(/inpaint dsg 2 +psnr +\S+ +99 as before, tolerance 0.1\n/);
  });
});

describe('LPIPS by a network', () => {
  const one = ['--tasks', 'sr', '--methods', 'none', '--steps', '2', '--lpips', at('pair.onnx')];
  /** Whose distance is a number whatever the images are. */
  const writeDistance = (value: number): void => {
    const b = new GraphBuilder();
    const [x, y] = ['a', 'b'].map((name) => b.input(name, 'float32', [1, 3, 16, 16]));
    const mean = b.reduce('Mean', b.sub(x!, y!), [0, 1, 2, 3]);
    b.output(b.add(b.mul(mean, b.scalar(0, mean)), b.scalar(value, mean)), 'd');
    writeFileSync(at('pair.onnx'), encodeGraph(b.graph));
  };
  const lpips = (): number | undefined => read(at('lpips')).groups[0]?.statistics['lpips']?.mean;

  it('is measured anew, and not compared, after the file holds another network', async () => {
    writeDistance(0.25);
    expectDone(await bench(at('lpips'), ...one));
    expect(lpips()).toBe(0.25);
    copyFileSync(join(at('lpips'), 'results.json'), at('lpips.json'));
    const against = ['--baseline', at('lpips.json'), '--tolerance', 'lpips=1'];
    expectDone(await bench(at('lpips'), ...one, ...against));
    writeDistance(0.5);
    const { code, stderr } = await bench(at('lpips'), ...one, ...against);
    expect(code).toBe(1);
    expect(stderr).toContain('lpips is there by another network, or other weights');
    expectDone(await bench(at('lpips'), ...one));
    expect(lpips()).toBe(0.5);
  });
});

describe('protocols', () => {
  it('noise of DiffPIR is converted to the range of dsg, which the results say', async () => {
    const done = await bench(
      at('diffpir'),
      '--protocol',
      'diffpir',
      '--methods',
      'none',
      '--steps',
      '2',
    );
    expectDone(done);
    const { measurements, protocol } = read(at('diffpir'));
    expect(measurements.map((m) => [m.task, m.sigma])).toEqual([
      ['sr', 0.1],
      ['inpaint', 0],
      ['sr', 0.1],
      ['inpaint', 0],
    ]);
    expect(protocol.notes).toContain('sr: noise 0.05 on [0,1] is 0.1 on [-1,1]');
  });

  it('other noise than the protocol has is said', async () => {
    expectDone(await bench(at('loud'), '--noise', '0.3', '--methods', 'none', '--steps', '2'));
    const { measurements, protocol } = read(at('loud'));
    expect(new Set(measurements.map((m) => m.sigma))).toEqual(new Set([0.3]));
    expect(protocol.notes.at(-1)).toBe('noise 0.3 on [-1,1] by --noise');
  });
});

describe('what the network is told', () => {
  const told = ['--prompt', "a cat's photo", '--guidance-scale', '2', '--card', 'clip=false'];
  const how = ['--tasks', 'inpaint', '--methods', 'dsg', '--steps', '2'];
  const latent = (output: string, ...options: string[]): Promise<Outcome> =>
    bench(output, ...how, '--model', pipelineFolder('sd15'), '--fit', 'resize', ...options);

  it.each([
    ['nothing', 'silent', []],
    ['a prompt', 'told', told],
  ])('%s: a latent pipeline gives what restore gives', async (_, name, options) => {
    expectDone(await latent(at(name), ...options));
    const one = ['--task', 'inpaint', '--simulate', '--method', 'dsg', '--steps', '2'];
    const model = ['--model', pipelineFolder('sd15'), '--fit', 'resize', ...options];
    expectDone(await restore([clean, ...one, ...model, '-o', at(`${name}-restored`)]));
    const bytes = (file: string): string => readFileSync(file).toString('base64');
    expect(bytes(at(`${name}/inpaint/dsg-2/a.sample0.png`))).toBe(
      bytes(at(`${name}-restored/a.png`)),
    );
  });

  it('is in the results, and makes other cells', () => {
    const [silent, said] = [read(at('silent')), read(at('told'))];
    expect(said.groups[0]?.settings).toBe(
      "'a cat's photo', cfg scale 1, dsg rate 0.1 interval 1, ddim eta 1",
    );
    expect(said.command).toContain(
      String.raw`--prompt 'a cat'\''s photo' --guidance-scale 2 --card clip=false --device cpu`,
    );
    const hashes = [...silent.cells, ...said.cells].map((c) => c.hash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('is refused where the model is told no texts', async () => {
    const { code, stderr } = await bench(at('refused'), '--prompt', 'a cat');
    expect(code).toBe(1);
    expect(stderr).toContain('the model is told no texts, and there is --prompt');
  });
});

it('pads images that are smaller than the model', async () => {
  const fixed = writeShrinking(at('fixed.onnx'), { size: 24, open: 'batch' });
  const one = ['--methods', 'dsg', '--steps', '2', '--model', fixed];
  expectDone(await bench(at('padded'), ...one, '--fit', 'pad'));
  expect(read(at('padded')).images.map((i) => i.width)).toEqual([16, 16]);
});

it('what diverges is reported, the rest goes on, the exit code says so', async () => {
  const failing = ['--model', writeFailing(at('failing.onnx'))];
  const done = await bench(at('failed'), '--methods', 'none', '--steps', '2', ...failing);
  expect(done.code).toBe(1);
  const { failures, cells } = read(at('failed'));
  expect(cells).toEqual([]);
  expect(failures.map((f) => f.what)).toEqual([
    'sr/none-2/a.sample0',
    'sr/none-2/deep/b.sample0',
    'inpaint/none-2/a.sample0',
    'inpaint/none-2/deep/b.sample0',
  ]);
});

it('a bad image does not keep the others', async () => {
  await writePicture(at('mixed/good.png'), 16);
  writeFileSync(at('mixed/bad.png'), 'not an image');
  const quick = ['--methods', 'none', '--steps', '2'];
  const done = await dsg(['bench', at('mixed'), '-o', at('mixed-out'), ...common, ...quick]);
  expect(done.code).toBe(1);
  expect(done.stderr).toContain('bad.png: not an image');
  const { images, failures } = read(at('mixed-out'));
  expect(images.map((i) => i.name)).toEqual(['good']);
  expect(failures).toHaveLength(1);
});

it.skipIf(process.platform === 'win32')('refuses a name that is a path elsewhere', async () => {
  const picture = await writePicture(at(String.raw`odd/a\b.png`), 16);
  const { code, stderr } = await dsg(['bench', picture, '-o', at('odd-out'), ...common]);
  expect(code).toBe(1);
  expect(stderr).toContain(String.raw`a\b.png: a name with \, which results.json has no place for`);
  expect(existsSync(at('odd-out'))).toBe(false);
});

it.each([
  [['--tasks', 'sr,sr'], 'Expected every value once.'],
  [['--methods', 'magic'], 'Expected one of dsg, dps, pigdm, psld, none.'],
  [['--steps', '20,x'], 'Expected an integer'],
  [['--methods', 'psld'], 'psld glues latents to images, and the model has no latents'],
  [['--sampler', 'ddpm', '--eta', '1'], '--eta belongs to --sampler ddim'],
  [['--methods', 'dsg', '--eta', '0'], 'dsg: a step of eta 0 draws no noise'],
  [
    ['--average', '2'],
    'and the methods include dsg, dps\nhint: leave out --average, or run pigdm by itself: --methods pigdm',
  ],
  [['--methods', 'none,pigdm', '--average', '2'], 'pigdm, and the methods include none\n'],
  [['--baseline', at('missing.json')], 'no such file'],
  [['--max', 'lpips=0.3'], '--max lpips=0.3: lpips is not worked out\nhint: add --lpips MODEL'],
  [
    ['--tolerance', 'psnr=0', '--tolerance', 'fid=1'],
    'hint: add --fid MODEL, or leave out the limit',
  ],
  [['--min', 'psnrY=30'], 'hint: `dsg eval --luma` of the files works it out'],
])('%j is refused', async (options, message) => {
  const { code, stderr } = await bench(at('refused'), ...options);
  expect(code).toBe(1);
  expect(stderr).toContain(message);
});

it('an average that one of the step counts is too few for is refused before anything is made', async () => {
  const how = ['--methods', 'pigdm', '--steps', '5,4', '--average', '4'];
  const { code, stderr } = await bench(at('too-many'), ...how);
  expect(code).toBe(1);
  expect(stderr).toContain('average: 4 of 4 steps, expected a positive integer below their number');
  expect(existsSync(at('too-many'))).toBe(false);
});

describe('images among results', () => {
  const run = (input: string, output: string): Promise<Outcome> =>
    dsg(['bench', input, '-o', output, ...common, '--methods', 'none', '--steps', '1']);

  it.each<[what: string, input: string, output: string, message: string]>([
    ['the folder of results itself', clean, clean, 'results cannot go where the images are'],
    ['the same by a link', clean, at('link'), 'results cannot go where the images are'],
    ['pictures as they were scored', join(out, 'clean'), out, 'a.png: lies where the results'],
    ['results, by a pattern', join(out, '**/*.png'), out, '.png: lies where the results'],
  ])('are refused: %s', async (_, input, output, message) => {
    if (!existsSync(at('link'))) symlinkSync(clean, at('link'));
    const before = [filesIn(clean), filesIn(out)];
    const done = await run(input, output);
    expect(done).toMatchObject({ code: 1, stdout: '' });
    expect(done.stderr).toContain(message);
    expect(done.stderr).toContain('hint: choose another folder with -o');
    expect([filesIn(clean), filesIn(out)]).toEqual(before);
  });

  it('may lie above or beside them', async () => {
    const above = at('above');
    await writePicture(join(above, 'photos/a.png'), 16);
    for (const output of [above, join(above, 'photos/bench')])
      for (let i = 0; i < 2; i++) {
        expectDone(await run(join(above, 'photos'), output));
        expect(read(output).images.map((image) => image.name)).toEqual(['a']);
      }
  });
});

it('one image is no set', async () => {
  const { code, stderr } = await dsg(['bench', join(clean, 'a.png'), '-o', out, '--fid', 'x.onnx']);
  expect(code).toBe(1);
  expect(stderr).toContain('--fid compares sets of images, and there is one image');
});
