/** Every kind of loss through the decoder of a latent pipeline, and every method. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lossKinds, type LossKind } from '../../src/pipeline/loss-spec.ts';
import { writeNpy } from '../../src/tensor/npy.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { pipelineFolder } from '../helpers/latent.ts';
import { dsg, expectDone, writePicture } from './harness.ts';
import {
  writeEmbedder,
  writeFeatures,
  writeJudge,
  writeSegmenter,
  writeTextTower,
} from './loss-networks.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const sd = pipelineFolder('sd15');
const vgg = writeFeatures(at('vgg.onnx'));
const clip = writeEmbedder(at('clip.onnx'), { size: 24, output: 'image_embeds' });
const told = `tokenizer=${join(sd, 'tokenizer')},tower=${writeTextTower(at('tower.onnx'))}`;
const picture = await writePicture(at('picture.png'), 32);
const labels = at('labels.npy');
const halves = Float32Array.from({ length: 1024 }, (_, i) => (i % 32 < 16 ? 0 : 2));
await writeNpy(labels, tensor([32, 32], halves));

/** A loss of each kind, and its target. */
const losses: Record<LossKind, [loss: string, ...target: string[]]> = {
  identity: [`${writeEmbedder(at('arcface.onnx'), { size: 8 })},crop=none`, picture],
  features: [`${vgg},layers=conv1+conv2`, picture],
  style: [`${vgg},layers=conv2`, picture],
  segmentation: [writeSegmenter(at('segmenter.onnx')), labels],
  text: [`${clip},${told}`, 'a photo, of a cat'],
  color: ['grid=2', picture],
  onnx: [writeJudge(at('judge.onnx'), { single: true })],
};

/** All of a text, which is what latent models are guided by most. */
const others = {
  dps: ['--step-size', '1'],
  freedom: ['--step-size', '0.1'],
  ugd: ['--step-size', '2', '--backward-steps', '2'],
};

/** What is left of a loss. */
async function lossBy(kind: LossKind, ...how: string[]): Promise<number> {
  const [loss, ...target] = losses[kind];
  const spec = `${kind}${kind === 'color' ? ',' : ':'}${loss}`;
  const out = temporaryFolder();
  const size = ['--width', '32', '--height', '32', '--steps', '5', '--device', 'cpu'];
  const wanted = ['--loss', spec, ...target.flatMap((t) => ['--target', t])];
  const prompt = ['--prompt', 'a cat', '--guidance-scale', '2'];
  expectDone(
    await dsg(['generate', '--model', sd, ...size, ...prompt, ...wanted, ...how, '-o', out]),
  );
  return JSON.parse(readFileSync(join(out, '0000.json'), 'utf8')).loss as number;
}

const unguided = (kind: LossKind) => lossBy(kind, '--method', 'dsg', '--rate', '0');

test.each(Object.keys(lossKinds) as LossKind[])('%s is less by dsg', async (kind) => {
  const found = await lossBy(kind, '--method', 'dsg', '--rate', '0.5');
  expect(found).toBeLessThan(0.95 * (await unguided(kind)));
});

test.each(Object.entries(others))('text is less by %s', async (method, settings) => {
  const found = await lossBy('text', '--method', method, ...settings);
  expect(found).toBeLessThan(await unguided('text'));
});
