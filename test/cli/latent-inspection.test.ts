/** `dsg inspect` of the folder of a latent pipeline. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { copiedPipeline, pipelineFolder } from '../helpers/latent.ts';
import { dsg, expectDone } from './harness.ts';

const sd = pipelineFolder('sd21');

test('every part is shown, with what a step takes', async () => {
  const done = await dsg(['inspect', sd, '--dim', 'width=96', '--dim', 'height=64']);
  expectDone(done);
  for (const line of [
    'predicts v of latents, of which a side is one 8th of the image',
    'scaled_linear schedule of 1000 steps, beta 0.00085 to 0.012; timesteps leading, offset 1',
    'unet/model.onnx',
    'vae_decoder/model.onnx',
    'vae_encoder/model.onnx',
    'text_encoder/model.onnx',
    'gradient: every node on the path has a rule',
    '549 tokens, 77 a prompt',
    'a guided step in stages, estimated at 96×64 (with and without the prompt)',
    'network, backwards: ',
  ])
    expect(done.stdout).toContain(line);
});

test('as JSON, without the parts that a pipeline may lack', async () => {
  const folder = copiedPipeline();
  rmSync(path.join(folder, 'vae_encoder'), { recursive: true });
  const done = await dsg(['inspect', folder, '--json']);
  expectDone(done);
  const found = JSON.parse(done.stdout);
  expect(found.parts.map((p: { part: string; file: string }) => [p.part, p.file])).toEqual([
    ['unet', 'unet/model.onnx'],
    ['vae_decoder', 'vae_decoder/model.onnx'],
    ['vae_encoder', null],
    ['text_encoder', 'text_encoder/model.onnx'],
  ]);
  const { plain, guided, size } = found.estimate;
  expect(size).toEqual({ height: 64, width: 64 });
  // A guided step runs the network forwards, and once more with its backward pass.
  expect(guided[2].flops).toBeGreaterThan(1.9 * plain[0].flops);
  expect(guided[1].bytes.values).toBeGreaterThan(plain[1].bytes.values);
  expect(found.estimate.memory.guided).toBeGreaterThan(found.estimate.memory.plain);
});

describe('bad input', () => {
  test.each([
    [['--dim', 'batch=2'], /no open dimension 'batch'/],
    [['--check'], /--check is for models of images/],
  ])('%j', async (args, message) => {
    const done = await dsg(['inspect', sd, ...args]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(message);
  });
});
