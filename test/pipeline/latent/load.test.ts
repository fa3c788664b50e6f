/** Folders of latent pipelines, whole and not. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../../src/files/sha256.ts';
import { readModel } from '../../../src/onnx/read.ts';
import { writeGraph } from '../../../src/onnx/write.ts';
import { canvasFor } from '../../../src/pipeline/canvas.ts';
import { promptCondition } from '../../../src/pipeline/latent/prompt.ts';
import { contentOf, modelHash } from '../../../src/pipeline/content.ts';
import { graphFor, loadModel } from '../../../src/pipeline/model.ts';
import { resolveGraph } from '../../../src/session/resolve.ts';
import { copiedPipeline, pipelineFolder } from '../../helpers/latent.ts';

const at = (folder: string, file: string): string => path.join(folder, file);

function edit(file: string, change: (config: Record<string, unknown>) => object): void {
  const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(change(config)));
}

describe('what the configs say', () => {
  test('of the first generation', async () => {
    const model = await loadModel(pipelineFolder('sd15'));
    const { card, channels, usualSide, warnings } = model;
    expect({ channels, usualSide, warnings }).toEqual({ channels: 4, usualSide: 64, warnings: [] });
    expect(card).toMatchObject({
      prediction: 'epsilon',
      clip: false,
      schedule: {
        name: 'scaled_linear',
        betaStart: 0.00085,
        betaEnd: 0.012,
        spacing: 'leading',
        offset: 1,
        end: 'first',
      },
      latent: { factor: 8, scaling: 0.18215 },
      text: { input: 'encoder_hidden_states' },
      // One halving in the network, three in the encoder.
      multiple: 16,
    });
    expect(canvasFor(model, { height: 60, width: 65 })).toEqual({ height: 64, width: 80 });
  });

  test('of the second', async () => {
    const { card } = await loadModel(pipelineFolder('sd21'));
    expect(card.prediction).toBe('v');
  });

  test('flags count more', async () => {
    const { card } = await loadModel(pipelineFolder('sd15'), {
      'latent.scaling': 0.13,
      prediction: 'v',
    });
    expect(card).toMatchObject({ prediction: 'v', latent: { factor: 8, scaling: 0.13 } });
  });
});

test('every part is in the digest', async () => {
  const folder = copiedPipeline();
  const before = await modelHash(await loadModel(folder));
  expect(before).toBe(await modelHash(await loadModel(pipelineFolder('sd15'))));
  edit(at(folder, 'scheduler/scheduler_config.json'), (c) => ({ ...c, other: 1 }));
  expect(await modelHash(await loadModel(folder))).not.toBe(before);
});

test('weights may be external data', async () => {
  const folder = copiedPipeline();
  const file = at(folder, 'unet/model.onnx');
  const shapes = { sample: [1, 4, 8, 8], timestep: [1], encoder_hidden_states: [1, 77, 12] };
  await writeGraph(await resolveGraph(await readModel(file), { shapes }), file, {
    externalFrom: 64,
  });
  // However the folder is named.
  const model = await loadModel(path.relative('.', folder));
  expect(await contentOf(model)).toContain(await sha256(`${file}.data`));
  const graph = await graphFor(model, 1, { height: 64, width: 64 });
  expect(graph.outputs[0]?.shape).toEqual([1, 4, 8, 8]);
});

test('without a scaling factor, that of Stable Diffusion is assumed, and said so', async () => {
  const folder = copiedPipeline();
  for (const part of ['vae_decoder', 'vae_encoder'])
    edit(at(folder, `${part}/config.json`), (c) => ({ ...c, scaling_factor: undefined }));
  const { card, warnings } = await loadModel(folder);
  expect(card.latent?.scaling).toBe(0.18215);
  expect(warnings).toEqual([
    expect.stringMatching(/scaling_factor is missing; 0\.18215 is assumed/),
  ]);
  const told = await loadModel(folder, { 'latent.scaling': 0.2 });
  expect(told.warnings).toEqual([]);
});

test('without configs, sizes follow from the networks', async () => {
  const folder = copiedPipeline();
  for (const part of ['unet', 'vae_decoder', 'vae_encoder', 'text_encoder'])
    rmSync(at(folder, `${part}/config.json`));
  const model = await loadModel(folder);
  expect(model).toMatchObject({ channels: 4, card: { latent: { factor: 8 } } });
});

test("an offset that diffusers' pipeline would correct is corrected, and said so", async () => {
  const folder = copiedPipeline();
  edit(at(folder, 'scheduler/scheduler_config.json'), (c) => ({ ...c, steps_offset: 0 }));
  const { card, warnings } = await loadModel(folder);
  expect(card.schedule.offset).toBe(1);
  expect(warnings).toEqual([expect.stringMatching(/steps_offset 0 is taken as 1/)]);
});

describe('parts that are missing', () => {
  test.each([
    ['unet/model.onnx', /there is no unet\/model\.onnx/],
    ['vae_decoder/model.onnx', /there is no vae_decoder\/model\.onnx/],
    ['scheduler/scheduler_config.json', /there is no scheduler\/scheduler_config\.json/],
    ['text_encoder', /is told prompts, and there is no text_encoder\/model\.onnx/],
    ['tokenizer', /is told prompts, and there is no tokenizer\//],
  ])('%s', async (part, message) => {
    const folder = copiedPipeline();
    rmSync(at(folder, part), { recursive: true });
    await expect(loadModel(folder)).rejects.toThrow(message);
  });

  test('weights that were never exported', async () => {
    const folder = copiedPipeline();
    renameSync(at(folder, 'unet/model.onnx'), at(folder, 'unet/diffusion_pytorch_model.bin'));
    await expect(loadModel(folder)).rejects.toMatchObject({
      hint: expect.stringMatching(/optimum-cli export onnx/),
    });
  });
});

describe('parts that do not belong together', () => {
  const prompted = async (folder: string) =>
    promptCondition(await loadModel(folder), { prompt: 'a cat' });

  test('another vocabulary', async () => {
    const folder = copiedPipeline();
    edit(at(folder, 'tokenizer/vocab.json'), (vocabulary) => ({ ...vocabulary, more: 549 }));
    await expect(prompted(folder)).rejects.toThrow(
      /not the tokenizer of .*: it knows 549 tokens, and the tokenizer 550/,
    );
  });

  test('latents of other channels', async () => {
    const folder = copiedPipeline();
    const shapes = { latent_sample: [1, 4, 8, 8] };
    const file = at(folder, 'vae_decoder/model.onnx');
    await writeGraph(await resolveGraph(await readModel(file), { shapes }), file);
    edit(at(folder, 'unet/config.json'), (c) => ({ ...c, in_channels: 9 }));
    await expect(loadModel(folder)).rejects.toThrow(
      /decodes latents of 4 channels, and the network's have 9/,
    );
  });
});

test('a pixel model is told no prompts', async () => {
  const model = await loadModel(pipelineFolder('sd15'));
  const { text, ...card } = model.card;
  expect(text).toBeDefined();
  await expect(promptCondition({ ...model, card }, { prompt: 'a cat' })).rejects.toThrow(
    /is told no prompts/,
  );
});
