/** Commands on the folder of a latent pipeline. */
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readNpy } from '../../src/tensor/npy.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import {
  copiedPipeline,
  expectedOf,
  largestDifference,
  pipelineFolder,
  pipelines,
  prompts,
} from '../helpers/latent.ts';
import { dsg, expectDone, filesIn, restore, writePicture } from './harness.ts';

const generate = (...args: string[]) => dsg(['generate', '--device', 'cpu', ...args]);
const sd = pipelineFolder('sd15');
const replayed = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/latent/${name}/expected`, import.meta.url));

describe('dsg generate', () => {
  test.each(pipelines)("with diffusers' latents of %s gives its image", async (name) => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'cat.npy');
    const { prompt, negative } = prompts;
    const told = ['--prompt', prompt, '--negative', negative, '--guidance-scale', '5'];
    const sampled = ['--steps', '6', '--replay', replayed(name)];
    const done = await generate('--model', pipelineFolder(name), ...told, ...sampled, '-o', file);
    expectDone(done);
    expect(done.stderr).toContain(`${name}: 'a photo of a cat', not 'blurry, bad', cfg scale 4`);
    expect(largestDifference(await expectedOf(name, 'image'), await readNpy(file))).toBeLessThan(
      1e-3,
    );
  });

  test('with a trace and another size', async () => {
    const folder = temporaryFolder();
    const size = ['--width', '48', '--height', '32'];
    const args = ['--prompt', 'a cat', '--steps', '3', '--trace', '1', ...size];
    expectDone(await generate('--model', sd, ...args, '-o', folder));
    expect(filesIn(folder)).toEqual([
      '0000.json',
      '0000.png',
      '0000.trace.webp',
      ...['0000', '0001', '0002'].map((n) => path.join('0000.trace', `${n}.png`)),
    ]);
    const sidecar = JSON.parse(readFileSync(path.join(folder, '0000.json'), 'utf8'));
    expect(sidecar).toMatchObject({
      image: { width: 48, height: 32 },
      model: { file: 'sd15' },
      options: { prompt: 'a cat', classifierFree: { scale: 6.5 } },
    });
  });

  test('says what of a long prompt is left out', async () => {
    const prompt = `${'the '.repeat(75)}cat of the photo`;
    const args = ['--prompt', prompt, '--steps', '1', '-o', temporaryFolder()];
    const done = await generate('--model', sd, ...args);
    expectDone(done);
    expect(done.stderr).toContain(
      "is 81 tokens and the text network takes 77; left out: 'cat of the photo'",
    );
  });
});

test('dsg restore fills in what a mask hides', async () => {
  const folder = temporaryFolder();
  const photo = path.join(folder, 'photo.png');
  await writePicture(photo, 64);
  const out = path.join(folder, 'out');
  const args = ['--model', sd, '--simulate', '--task', 'inpaint', '--steps', '4', '-o', out];
  const done = await restore([photo, ...args, '--prompt', 'a photo', '--guidance-scale', '2']);
  expectDone(done);
  expect(done.stderr).toContain('dsg rate 0.1 interval 1');
  expect(filesIn(out)).toContain('photo.png');
});

test.each([80, 74])('dsg restore by psld, from the encoder, through windows: %i', async (side) => {
  const folder = temporaryFolder();
  const photo = path.join(folder, 'photo.png');
  await writePicture(photo, side);
  const out = path.join(folder, 'out');
  const args = ['--model', sd, '--simulate', '--task', 'sr', '--scale', '2', '--steps', '2'];
  const how = ['--method', 'psld', '--gluing', '0.2', '--start', 'encoder', '--tile', '64'];
  const done = await restore([photo, ...args, ...how, '-o', out]);
  expectDone(done);
  expect(done.stderr).toContain('psld gluing 0.2 step-size 1');
  const sidecar = JSON.parse(readFileSync(path.join(out, 'photo.json'), 'utf8'));
  expect(sidecar.image).toEqual({ width: side, height: side });
  expect(sidecar.options).toMatchObject({ start: 'encoder', method: { name: 'psld' } });
});

describe('what is for latents only', () => {
  test.each([
    [['--method', 'psld'], /psld glues latents to images, and the model has no latents/],
    [['--start', 'encoder'], /sampling cannot start from an encoder: the model has none/],
  ])('%j', async (args, message) => {
    const folder = temporaryFolder();
    const photo = path.join(folder, 'photo.png');
    await writePicture(photo, 32);
    const task = ['--simulate', '--task', 'inpaint', '--steps', '2'];
    const done = await restore([photo, ...task, ...args, '-o', path.join(folder, 'out')]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(message);
  });

  test('and need an encoder', async () => {
    const model = copiedPipeline();
    rmSync(path.join(model, 'vae_encoder'), { recursive: true });
    const photo = path.join(temporaryFolder(), 'photo.png');
    await writePicture(photo, 64);
    const task = ['--simulate', '--task', 'inpaint', '--steps', '2', '--method', 'psld'];
    const done = await restore([photo, '--model', model, ...task, '-o', temporaryFolder()]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/there is no vae_encoder\/model\.onnx, which this needs/);
  });
});

describe('bad input', () => {
  test.each([
    ['a size', ['--width', '60', '--height', '64'], /60×64 are no multiple of 16/],
    ['a class', ['--class', '3'], /told texts, not classes/],
    ['nothing to go away from', ['--negative', 'bad'], /--negative is what classifier-free/],
    ['a prompt for pixels', ['--model', 'default'], /told no texts, and there is --prompt/],
  ])('%s', async (_, args, message) => {
    const prompt = message.source.includes('--prompt') ? ['--prompt', 'a cat'] : [];
    const model = args.includes('default') ? [] : ['--model', sd, ...args];
    const done = await generate(...model, ...prompt, '-o', temporaryFolder());
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(message);
  });
});
