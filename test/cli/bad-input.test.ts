import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { writeNpy } from '../../src/tensor/npy.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { expectDone, filesIn, picture, restore, writeHalfMask, writePicture } from './harness.ts';
import { writeShrinking } from './models.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const blur = ['--task', 'deblur', '--kernel-size', '5', '--kernel-std', '1'];
const inpaint = ['--task', 'inpaint', '--mask', at('mask.png')];
const isRoot = process.getuid?.() === 0;
let runs = 0;

beforeAll(async () => {
  writeShrinking(at('model.onnx'));
  writeShrinking(at('fixed.onnx'), { open: false });
  writeShrinking(at('grey-model.onnx'), { channels: 1 });
  await writePicture(at('good.png'), 16);
  await writePicture(at('wide.png'), 24);
  await writePicture(at('pixel.png'), 1);
  await writePicture(at('good.npy'), 16);
  await writeHalfMask(at('mask.png'), 16, 16);
  await writeHalfMask(at('wide-mask.png'), 24, 16);
  await writeHalfMask(at('pixel-mask.png'), 1, 1);
  await sharp(at('mask.png')).joinChannel(at('mask.png')).png().toFile(at('hole.png'));
  writeFileSync(at('truncated.png'), readFileSync(at('good.png')).subarray(0, 200));
  writeFileSync(at('empty.png'), '');
  writeFileSync(at('text.png'), 'not an image');
  mkdirSync(at('empty'));
  mkdirSync(at('links'));
  symlinkSync(folder, at('links/here'));
  writeFileSync(at('file-in-the-way'), '');

  const nan = picture(16);
  nan.data[5] = NaN;
  await writeNpy(at('nan.npy'), nan);
  await writeNpy(at('nan-mask.npy'), { shape: [1, 2], data: Float32Array.of(1, NaN) });
  await writeNpy(at('bytes.npy'), { ...nan, data: nan.data.map(() => 200) });
  await writeNpy(at('four.npy'), { shape: [4, 2, 2], data: new Float32Array(16) });
  await writeNpy(at('zero.npy'), { shape: [3, 3], data: new Float32Array(9) });
  await writeNpy(at('even.npy'), { shape: [2, 2], data: new Float32Array(4).fill(0.25) });

  const good = sharp(at('good.png'));
  await good.clone().toColourspace('rgb16').png().toFile(at('deep.png'));
  await good.clone().greyscale().png().toFile(at('grey.png'));
  await good.clone().toColourspace('cmyk').tiff().toFile(at('cmyk.tiff'));
  await good.clone().ensureAlpha(0.5).png().toFile(at('alpha.png'));

  writeFileSync(at('text.onnx'), 'not a model');
  writeFileSync(at('truncated.onnx'), readFileSync(at('model.onnx')).subarray(0, 100));
  const classifier = new GraphBuilder();
  classifier.output(classifier.op('Relu', [classifier.input('v', 'float32', [1, 10])]), 'y');
  writeFileSync(at('classifier.onnx'), encodeGraph(classifier.graph));
  const timeless = new GraphBuilder();
  timeless.output(timeless.op('Relu', [timeless.input('x', 'float32', [1, 3, 16, 16])]), 'y');
  writeFileSync(at('timeless.onnx'), encodeGraph(timeless.graph));
  const guided = new GraphBuilder();
  const x = guided.input('x', 'float32', [1, 3, 16, 16]);
  guided.input('t', 'float32', [1]);
  guided.input('label', 'int64', [1]);
  guided.output(guided.op('Relu', [x]), 'y');
  writeFileSync(at('conditional.onnx'), encodeGraph(guided.graph));
});

/** Runs restore, two steps of a small model unless `args` say otherwise, and tells what it left. */
async function attempt(args: readonly string[]) {
  const out = at(`out-${runs++}`);
  const done = await restore(['--model', at('model.onnx'), '--steps', '2', '-o', out, ...args]);
  return { ...done, files: existsSync(out) ? filesIn(out) : [] };
}

describe('refused', () => {
  it.each<[what: string, args: string[], message: string | RegExp]>([
    ['a missing image', ['missing.png', ...blur], /missing\.png: no such file or folder/],
    [
      'a truncated image',
      [at('truncated.png'), ...blur],
      /truncated\.png: not an image, or a damaged/,
    ],
    [
      'an empty file',
      [at('empty.png'), ...blur],
      /empty\.png: expected an image, got an empty file/,
    ],
    ['text', [at('text.png'), ...blur], /text\.png: not an image/],
    ['an input without a name', ['', ...blur], 'an input is named, but by nothing'],
    ['an output without a name', [at('good.png'), ...blur, '-o', ''], '-o names nothing'],
    ['a device', ['/dev/null', ...blur], /cannot read \/dev\/null: it is not a regular file/],
    [
      'a kernel of zeros',
      [at('good.png'), '--task', 'deblur', '--kernel', at('zero.npy')],
      /the kernel is zero everywhere/,
    ],
    [
      'an empty folder',
      [at('empty'), ...blur],
      /empty: no images in this folder\nhint: images are/,
    ],
    ['no input', [...blur], /missing required argument 'input'\nusage: dsg restore/],
    [
      'one pixel to blur',
      [at('pixel.png'), ...blur],
      /pixel\.png: blur: an image of 1×1 is too small/,
    ],
    [
      'NaN in an image',
      [at('nan.npy'), ...blur],
      /nan\.npy: expected finite values, got NaN at index 5/,
    ],
    [
      'bytes for values',
      [at('bytes.npy'), ...blur],
      /bytes\.npy: .*magnitude 200\nhint: images are float32/,
    ],
    [
      'four channels',
      [at('four.npy'), ...blur],
      /four\.npy: expected shape \[C,H,W\].*got \[4,2,2\]/,
    ],
    [
      'two images of a name',
      [at('good.png'), at('good.npy'), ...blur],
      /two images are named 'good'/,
    ],

    ['no task', [at('good.png')], /there is no --task, and no good\.operator\.json beside it/],
    [
      'no mask',
      [at('good.png'), '--task', 'inpaint'],
      /needs the mask of the measurement\nhint: give --mask FILE/,
    ],
    [
      'a mask nobody measured with',
      [at('good.png'), '--task', 'inpaint', '--mask', 'box'],
      /which --mask box would not be/,
    ],
    [
      'a missing mask',
      [at('good.png'), '--task', 'inpaint', '--mask', 'm.png'],
      /cannot read m\.png/,
    ],
    [
      'a mask of another size',
      [at('good.png'), '--task', 'inpaint', '--mask', at('wide-mask.png')],
      /good\.png: mask: 24×16, but the image is 16×16/,
    ],
    [
      'NaN in a mask',
      [at('good.png'), '--task', 'inpaint', '--mask', at('nan-mask.npy')],
      /nan-mask\.npy: expected finite values, got NaN/,
    ],
    [
      'a result that no memory holds',
      [at('good.png'), '--task', 'sr', '--scale', '100000'],
      /good\.png: an image of 1600000×1600000 takes .* GiB, more than can be held/,
    ],
    [
      'a measured image that no memory holds',
      [at('good.png'), '--task', 'sr', '--scale', '1000000', '--fit', 'pad', '--simulate'],
      /good\.png: an image of 1000000×1000000 takes .* GiB, more than can be held/,
    ],
    [
      'a mask for sr',
      [at('good.png'), '--task', 'sr', '--mask', at('mask.png')],
      /--mask belongs to --task inpaint/,
    ],
    [
      'an even kernel',
      [at('good.png'), '--task', 'deblur', '--kernel', at('even.npy')],
      /a kernel has two odd sides/,
    ],
    [
      'an even kernel size',
      [at('good.png'), '--task', 'deblur', '--kernel-size', '4'],
      /kernel size 4 is not an odd number/,
    ],
    [
      'kernel and kernel size',
      [at('good.png'), ...blur, '--kernel', at('even.npy')],
      /--kernel replaces the Gaussian/,
    ],
    [
      'a scale that does not divide',
      [at('good.png'), '--task', 'sr', '--scale', '3', '--simulate'],
      /16×16 does not divide by 3\nhint: .*--fit crop/,
    ],
    [
      'another size than the model takes',
      [at('wide.png'), ...blur, '--model', at('fixed.onnx')],
      /takes 16×16 only, the image to restore is 24×24\nhint: add --fit crop or resize; dsg restore takes --tile auto/,
    ],
    [
      'a measurement too large to enlarge',
      [at('good.png'), '--task', 'sr', '--model', at('fixed.onnx')],
      /takes 16×16 only, the image to restore is 64×64/,
    ],
    [
      'a crop larger than the image',
      [at('pixel.png'), ...blur, '--model', at('fixed.onnx'), '--fit', 'crop'],
      /cannot crop an image of 1x1 to 16x16/,
    ],

    [
      '--steps 0',
      [at('good.png'), ...blur, '--steps', '0'],
      /argument '0' is invalid\. Expected an integer, 1 or more\.\nusage:/,
    ],
    [
      '--steps 5000',
      [at('good.png'), ...blur, '--steps', '5000'],
      /cannot sample in 5000 steps, expected an integer from 1 to 1000/,
    ],
    [
      '--steps abc',
      [at('good.png'), ...blur, '--steps', 'abc'],
      /argument 'abc' is invalid\. Expected an integer/,
    ],
    [
      '--eta 2',
      [at('good.png'), ...blur, '--eta', '2'],
      /argument '2' is invalid\. Expected a number, 0 to 1/,
    ],
    [
      'a temperature below none',
      [at('good.png'), ...blur, '--temperature', '-1'],
      /argument '-1' is invalid\. Expected a number, 0 or more/,
    ],
    [
      'a temperature of no noise',
      [at('good.png'), ...blur, '--method', 'dps', '--eta', '0', '--temperature', '0.9'],
      /--temperature is that of the noise of steps, .*\nhint: add --eta 1/,
    ],
    [
      '--rate without dsg',
      [at('good.png'), ...blur, '--method', 'dps', '--rate', '1'],
      /--rate belongs to --method dsg/,
    ],
    [
      '--whiten without guidance',
      [at('good.png'), ...blur, '--method', 'none', '--whiten', '1'],
      /--whiten belongs to --method dsg or dps/,
    ],
    [
      'a gradient of the clip without guidance',
      [at('good.png'), ...blur, '--method', 'none', '--clip-gradient', 'pass'],
      /--clip-gradient belongs to --method dsg or dps/,
    ],
    [
      'all of the steps averaged',
      [at('good.png'), ...blur, '--method', 'pigdm', '--steps', '4', '--average', '4'],
      /average: 4 of 4 steps, expected a positive integer below their number/,
    ],
    [
      'an average of samples that follow no likelihood',
      [at('good.png'), ...blur, '--method', 'dsg', '--average', '4'],
      /--average belongs to --method pigdm or ugd, and the method is dsg/,
    ],
    [
      'a level of no average',
      [at('good.png'), ...blur, '--method', 'pigdm', '--average-at', '0.2'],
      /--average-at belongs to --average, which is not given/,
    ],
    [
      '--rate of pigdm, which has none',
      [at('good.png'), ...blur, '--method', 'pigdm', '--rate', '0.1'],
      /--rate belongs to --method dsg/,
    ],
    [
      '--eta without ddim',
      [at('good.png'), ...blur, '--sampler', 'ddpm', '--eta', '1'],
      /--eta belongs to --sampler ddim/,
    ],
    [
      'a task nobody knows',
      [at('good.png'), '--task', 'colour'],
      /Expected one of inpaint, sr, deblur/,
    ],
    [
      'a mistyped option',
      [at('good.png'), ...blur, '-o', at('o'), '--stpes', '3'],
      /unknown option '--stpes'\n\(Did you mean --steps\?\)\nusage:/,
    ],
    [
      'learned_range of a model without',
      [at('good.png'), ...blur, '--sampler', 'ddpm', '--variance', 'learned_range'],
      /learned_range needs a network that predicts a variance/,
    ],
    [
      'a replay of another size',
      [at('good.png'), ...blur, '--replay', at('empty')],
      /cannot read .*x_T\.npy/,
    ],

    ['a missing model', [at('good.png'), ...blur, '--model', 'm.onnx'], /m\.onnx: cannot be read/],
    [
      'text for a model',
      [at('good.png'), ...blur, '--model', at('text.onnx')],
      /text\.onnx: not an ONNX model/,
    ],
    [
      'a truncated model',
      [at('good.png'), ...blur, '--model', at('truncated.onnx')],
      /truncated\.onnx: not an ONNX model, or truncated/,
    ],
    [
      'a model without an image',
      [at('good.png'), ...blur, '--model', at('classifier.onnx')],
      /no image input \[N,C,H,W\]; the model takes v float32 \[1,10\]/,
    ],
    [
      'a model without a timestep',
      [at('good.png'), ...blur, '--model', at('timeless.onnx')],
      /no timestep input/,
    ],
    [
      'a model with more inputs',
      [at('good.png'), ...blur, '--model', at('conditional.onnx')],
      /inputs that nothing feeds: label int64 \[1\]/,
    ],
    [
      'a model of grey images',
      [at('good.png'), ...blur, '--model', at('grey-model.onnx')],
      /takes images of 1 channels, colour images have 3/,
    ],

    [
      'a file for a folder',
      [at('good.png'), ...blur, '-o', at('file-in-the-way')],
      /file-in-the-way: it is a file, not a folder/,
    ],
    [
      'a folder in a file',
      [at('good.png'), ...blur, '-o', at('file-in-the-way/out')],
      /cannot write .*part of its path is not a folder/,
    ],
    [
      'a lossy result',
      [at('good.png'), ...blur, '-o', at('r.jpg')],
      /results cannot be written as jpg\nhint: results are lossless/,
    ],
    [
      'one file for two images',
      [at('good.png'), at('wide.png'), ...blur, '-o', at('r.png')],
      /is one file, but there are 2 images/,
    ],
    [
      'an extension against --format',
      [at('good.png'), ...blur, '-o', at('r.png'), '--format', 'npy'],
      /its extension contradicts --format npy/,
    ],
    [
      'an input for the output',
      [at('good.png'), ...blur, '-o', folder],
      /the result would replace an input/,
    ],
    [
      'an input for the output, through a link',
      [at('good.png'), ...blur, '-o', at('links/here')],
      /the result would replace an input/,
    ],
  ])('%s', async (_, args, message) => {
    const done = await attempt(args);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(message);
    expect(done.stderr).toMatch(/^error: /m);
    expect(done.stdout).toBe('');
    expect(done.files).toEqual([]);
  });

  it.skipIf(isRoot)('a folder that may not be written to', async () => {
    mkdirSync(at('locked'));
    chmodSync(at('locked'), 0o500);
    const done = await attempt([at('good.png'), ...blur, '-o', at('locked')]);
    expect(done).toMatchObject({ code: 1, stderr: expect.stringContaining('permission denied') });
  });
});

describe('taken', () => {
  it.each<[what: string, args: string[], note: string]>([
    ['one pixel', [at('pixel.png'), '--task', 'inpaint', '--mask', at('pixel-mask.png')], ''],
    ['16 bits', [at('deep.png'), ...inpaint], ''],
    ['grey', [at('grey.png'), ...inpaint], ''],
    ['CMYK', [at('cmyk.tiff'), ...inpaint], ''],
    ['transparency', [at('alpha.png'), ...inpaint], 'alpha.png: its transparency was flattened'],
    [
      'a mask with a transparent hole',
      [at('good.png'), '--task', 'inpaint', '--mask', at('hole.png')],
      'hole.png: its transparent pixels are hidden, as black ones are\n',
    ],
    [
      'a mask that hides nothing, to simulate with',
      [at('pixel.png'), '--task', 'inpaint', '--mask', at('pixel-mask.png'), '--simulate'],
      'pixel-mask.png: it hides no pixel: only black is hidden\n',
    ],
  ])('%s', async (_, args, note) => {
    const done = await attempt(args);
    expectDone(done);
    expect(done.files).toEqual(expect.arrayContaining([expect.stringMatching(/\.json$/)]));
    expect(done.stderr).toContain(note);
  });
});

it('skips bad images of a list, restores the others, and ends with what failed', async () => {
  const inputs = ['good.png', 'truncated.png', 'wide.png', 'nan.npy'].map(at);
  const done = await attempt([...inputs, ...blur]);
  expect(done.code).toBe(1);
  expect(done.files).toEqual(['good.json', 'good.png', 'wide.json', 'wide.png']);
  expect(done.stdout.trim().split('\n')).toHaveLength(2);
  expect(done.stderr).toContain(
    `error: 2 of 4 images failed: ${at('truncated.png')}, ${at('nan.npy')}`,
  );
});
