/** What importing writes, and what it says of checkpoints that it cannot. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { cardFile } from '../../src/card/card.ts';
import { importAdm } from '../../src/checkpoint/adm/import.ts';
import { anchors as ddpmAnchors, importDdpm } from '../../src/checkpoint/ddpm/import.ts';
import { importCheckpoint } from '../../src/checkpoint/import.ts';
import { networkIn } from '../../src/checkpoint/network-in.ts';
import { readCheckpoint, type StateDict } from '../../src/checkpoint/state.ts';
import { UserError } from '../../src/errors.ts';
import type { Initializer } from '../../src/onnx/initializer.ts';
import { modelInput } from '../../src/onnx/dims.ts';
import { readModel } from '../../src/onnx/read.ts';
import { classCondition } from '../../src/pipeline/condition.ts';
import { loadModel } from '../../src/pipeline/model.ts';
import { sizeOf, tensor } from '../../src/tensor/tensor.ts';
import * as make from '../helpers/checkpoint.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();
const fixture = (...parts: string[]): string =>
  path.join(fileURLToPath(new URL('../fixtures/checkpoint', import.meta.url)), ...parts);
const output = path.join(folder, 'model.onnx');

describe('what is written', () => {
  test('a model with open batch, named after the checkpoint, and its card inside and beside', async () => {
    const options = { size: 8, headChannels: 8 };
    const source = fixture('adm-learned-variance', 'model.pt');
    const { files, card } = await importCheckpoint(source, output, options);
    expect(files).toEqual([output, path.join(folder, 'model.card.json')]);
    const { proto } = await readModel(output);
    const declared = [...(proto.graph?.input ?? []), ...(proto.graph?.output ?? [])];
    expect(declared.map((v) => [v.name, modelInput(v, '').shape])).toEqual([
      ['x', ['batch', 3, 8, 8]],
      ['t', ['batch']],
      ['output', ['batch', 6, 8, 8]],
    ]);
    const names = new Set(proto.graph?.initializer.map((t) => t.name));
    const [{ state }] = await readCheckpoint(source);
    for (const name of state.keys()) expect(names).toContain(name);
    const blocks = new Set(proto.graph?.node.map((n) => n.name.split('/')[1]));
    expect(blocks).toContain('middle_block.1.qkv');
    const [entry] = proto.metadataProps;
    const { sha256, ...inside } = card;
    expect(JSON.parse(entry?.value ?? '')).toEqual(inside);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(card.source).toMatch(/^model\.pt, SHA-256 [0-9a-f]{64}$/);
    expect(cardFile.parse(JSON.parse(readFileSync(files[1] ?? '', 'utf8')))).toEqual(card);
    const model = await loadModel(output);
    expect(model.inferred).toEqual([]);
    expect(model.card).toMatchObject({ prediction: 'epsilon', learnedVariance: true });
  });

  test('a fixed class leaves an ε-model that restoring takes', async () => {
    const options = { size: 16, headChannels: 8, order: 'new' as const };
    const source = fixture('adm-class-conditional', 'model.pt');
    await importCheckpoint(source, output, { ...options, class: 6 });
    expect((await loadModel(output)).card.inputs).toEqual({ x: 'x', timestep: 't' });
    expect((await loadModel(output)).card.classes).toBeUndefined();
    await expect(importCheckpoint(source, output, { ...options, class: 7 })).rejects.toThrow(
      'class 7 of 7: expected 0 to 6',
    );
  });

  test.each([
    ['adm-class-conditional', 'model.pt', { size: 16, headChannels: 8, order: 'new' as const }],
    ['diffusers-resnet', '', {}],
  ])('%s says how many classes it is told', async (name, file, options) => {
    const source = fixture(name, file);
    const { card } = await importCheckpoint(source, output, options);
    expect(card.classes).toEqual({ input: 'y', count: 7 });
    const model = await loadModel(output);
    expect(classCondition(model, 6).given).toEqual({ y: tensor([], Float32Array.of(6)) });
    expect(() => classCondition(model, 7)).toThrow('class 7 is not one of its 7');
    const none = await loadModel(output, { 'classes.null': 6 });
    expect(classCondition(none)).toMatchObject({ none: { y: { shape: [] } } });
    const fixed = await loadModel(output, { 'conditioning.y': 6 });
    expect(classCondition(fixed)).toEqual({ given: {} });
  });

  test.each([
    [
      'diffusers-ddpm',
      {},
      {
        prediction: 'epsilon',
        clip: true,
        schedule: { name: 'linear', timesteps: 1000, betaStart: 0.0001, betaEnd: 0.02 },
      },
    ],
    [
      'diffusers-resnet',
      {},
      { prediction: 'v', clip: false, schedule: { name: 'cosine', timesteps: 500 } },
    ],
    [
      'diffusers-resnet',
      { prediction: 'x0', schedule: 'linear' },
      { prediction: 'x0', schedule: { name: 'linear', timesteps: 500 } },
    ],
    [
      'diffusers-ddpm',
      { timesteps: 100 },
      { schedule: { name: 'linear', timesteps: 100, betaStart: 0.0001, betaEnd: 0.02 } },
    ],
    [
      'diffusers-ddpm',
      { timesteps: 100, card: { rescaleTimesteps: true, 'schedule.betaEnd': 0.05 } },
      { rescaleTimesteps: true, schedule: { timesteps: 100, betaEnd: 0.05 } },
    ],
  ] as const)('the card of %s with %o', async (name, options, expected) => {
    const { card } = await importCheckpoint(fixture(name), output, options);
    expect(card).toMatchObject(expected);
  });
});

describe('guided-diffusion weights that are wrong', () => {
  let whole: StateDict;
  const options = { size: 8, headChannels: 8 };
  const importing = (state: StateDict) => () => importAdm(state, options, 'model.pt');
  beforeAll(async () => {
    [{ state: whole }] = await readCheckpoint(fixture('adm-learned-variance', 'model.pt'));
  });

  test('a tensor that is missing is named, whichever', () => {
    for (const name of whole.keys()) {
      const state = new Map(whole);
      state.delete(name);
      expect(importing(state)).toThrow(UserError);
      expect(importing(state)).toThrow(name);
    }
  });

  test('a tensor of another shape is named, whichever', () => {
    for (const [name, t] of whole) {
      const shape = t.shape.map((d, i) => (i === 0 ? 2 * d : d));
      const twice: Initializer = { ...t, shape, bytes: () => new Uint8Array(2 * sizeOf(t.shape)) };
      // Where it is the shape that says what is expected, something else is named.
      expect(importing(new Map(whole).set(name, twice))).toThrow(UserError);
    }
    const name = 'middle_block.1.qkv.weight';
    const short = { ...(whole.get(name) as Initializer), shape: [192, 32, 1] };
    expect(importing(new Map(whole).set(name, short))).toThrow(
      `${name} is float16 [192,32,1], expected [192,64,1]`,
    );
  });

  test('a tensor that does not belong is named', () => {
    const extra = whole.get('out.2.bias') as Initializer;
    expect(importing(new Map(whole).set('alphas', extra))).toThrow('unexpected:\n    alphas [6]');
  });

  test.each([
    ['NaN', 0x7e00],
    ['infinite', 0xfc00],
  ])('%s is found among the numbers, and the tensor named', (_, bits) => {
    const name = 'input_blocks.1.0.in_layers.2.weight';
    const t = whole.get(name) as Initializer;
    const bytes = (): Uint8Array => {
      const copy = t.bytes().slice();
      new DataView(copy.buffer).setUint16(copy.length - 2, bits, true);
      return copy;
    };
    expect(importing(new Map(whole).set(name, { ...t, bytes }))).toThrow(
      `not finite:\n    ${name}`,
    );
  });

  test('whole numbers are no weights', () => {
    const t: Initializer = { dtype: 'int64', shape: [6], bytes: () => new Uint8Array(48) };
    expect(importing(new Map(whole).set('out.2.bias', t))).toThrow('out.2.bias is int64 [6]');
  });
});

describe('weights of DDPM', () => {
  let whole: StateDict;
  beforeAll(async () => {
    const [{ state }] = await readCheckpoint(fixture('ddpm', 'model.pt'));
    whole = networkIn(state, ddpmAnchors)?.weights as StateDict;
  });

  test('give a card with what is published, under the names of the checkpoint', () => {
    const { card, graph, inferred } = importDdpm(whole, 'model.ckpt', {});
    expect(card).toMatchObject({
      description: 'DDPM ε-model, 32×32',
      prediction: 'epsilon',
      learnedVariance: false,
      schedule: { name: 'linear', timesteps: 1000 },
      multiple: 2,
    });
    expect(inferred[0]).toBe('image size: 32 (as published, attention is at 16×16)');
    for (const name of whole.keys()) expect(graph.initializers.has(name)).toBe(true);
    const modules = new Set(graph.nodes.map((n) => n.name.split('/')[1]));
    expect(modules).toContain('up.0.block.2.conv1');
    expect(modules).toContain('mid.attn_1.proj_out');
    expect([...modules].filter((m) => /resnets|attentions|time_emb/.test(m ?? ''))).toEqual([]);
  });

  test.each([
    'conv_in.bias',
    'temb.dense.1.weight',
    'down.0.block.0.conv1.weight',
    'down.0.downsample.conv.bias',
    'down.1.attn.1.q.weight',
    'mid.attn_1.norm.weight',
    'up.1.upsample.conv.bias',
    'up.0.block.2.nin_shortcut.weight',
    'conv_out.weight',
  ])('that are missing are named: %s', (name) => {
    const state = new Map(whole);
    expect(state.delete(name)).toBe(true);
    const importing = () => importDdpm(state, 'model.ckpt', { size: 8 });
    expect(importing).toThrow(UserError);
    expect(importing).toThrow(name);
  });

  test('that do not belong are named', () => {
    const extra = whole.get('conv_out.bias') as Initializer;
    const importing = () => importDdpm(new Map(whole).set('betas', extra), 'm.ckpt', { size: 8 });
    expect(importing).toThrow('unexpected:\n    betas [3]');
  });
});

describe('a diffusers folder that is wrong', () => {
  const source = path.join(folder, 'ddpm');
  const config = JSON.parse(
    readFileSync(fixture('diffusers-ddpm', 'config.json'), 'utf8'),
  ) as object;
  const scheduler = { _class_name: 'DDPMScheduler' };
  const fresh = (files: Readonly<Record<string, unknown>>): string => {
    rmSync(source, { recursive: true, force: true });
    cpSync(fixture('diffusers-ddpm'), source, { recursive: true });
    for (const [name, content] of Object.entries(files)) {
      const text = typeof content === 'string' ? content : JSON.stringify(content);
      writeFileSync(path.join(source, name), text);
    }
    return source;
  };

  test.each<[string, object, string]>([
    [
      'other channels',
      { block_out_channels: [8, 16] },
      'conv_in.weight is float32 [4,3,3,3], expected [8,3,3,3]',
    ],
    ['more layers', { layers_per_block: 3 }, 'down_blocks.0.resnets.2.norm1.weight [4]'],
    ['fewer layers', { layers_per_block: 1 }, 'unexpected'],
    [
      'other blocks',
      { down_block_types: ['DownBlock2D', 'DownBlock2D'] },
      'down_blocks.1.attentions.0',
    ],
    ['other inputs', { in_channels: 4 }, 'expected [4,4,3,3]'],
    ['scale and shift', { resnet_time_scale_shift: 'scale_shift' }, 'time_emb_proj.weight'],
    [
      'blocks that are not known',
      { up_block_types: ['SkipUpBlock2D', 'UpBlock2D'] },
      'SkipUpBlock2D, supported',
    ],
    ['another class', { _class_name: 'UNet2DConditionModel' }, 'UNet2DConditionModel'],
    ['another embedding', { time_embedding_type: 'fourier' }, 'fourier'],
    [
      'blocks and channels of other numbers',
      { block_out_channels: [4, 8, 8] },
      '2 up blocks and 3 numbers of channels',
    ],
    ['channels that cannot be grouped', { norm_num_groups: 3 }, '4 channels in 3 groups'],
    ['no size', { sample_size: null }, 'no sample_size'],
    ['numbers beyond reason', { layers_per_block: 1e9 }, 'layers_per_block'],
    ['words for numbers', { block_out_channels: 'many' }, 'block_out_channels'],
  ])('a config of %s', async (_, change, message) => {
    fresh({ 'config.json': { ...config, ...change } });
    await expect(importCheckpoint(source, output)).rejects.toThrow(UserError);
    await expect(importCheckpoint(source, output)).rejects.toThrow(message);
  });

  test.each<[string, object, string]>([
    ['of another process', { _class_name: 'ScoreSdeVeScheduler' }, 'another diffusion process'],
    ['of unknown betas', { beta_schedule: 'sigmoid' }, 'beta_schedule sigmoid'],
    ['of its own betas', { trained_betas: [0.1, 0.2] }, 'trained_betas'],
    ['of another range', { clip_sample_range: 2 }, 'clip_sample_range 2'],
    ['of an unknown prediction', { prediction_type: 'flow' }, 'prediction_type'],
  ])('a scheduler %s', async (_, change, message) => {
    fresh({ 'scheduler_config.json': { ...scheduler, ...change } });
    await expect(importCheckpoint(source, output)).rejects.toThrow(message);
  });

  test('files that are missing or damaged', async () => {
    fresh({ 'config.json': '{' });
    await expect(importCheckpoint(source, output)).rejects.toThrow('config.json: not JSON');
    rmSync(path.join(source, 'config.json'));
    await expect(importCheckpoint(source, output)).rejects.toThrow('no config.json beside it');
    rmSync(path.join(source, 'diffusion_pytorch_model.safetensors'));
    await expect(importCheckpoint(source, output)).rejects.toThrow('no diffusion_pytorch_model');
    await expect(importCheckpoint(path.join(folder, 'absent'), output)).rejects.toThrow(UserError);
  });

  test.each(['vae', 'vqvae'])('a pipeline of latents, with its %s', async (autoencoder) => {
    const pipeline = path.join(folder, `pipeline of a ${autoencoder}`);
    cpSync(fixture('diffusers-ddpm'), path.join(pipeline, 'unet'), { recursive: true });
    await importCheckpoint(pipeline, output);
    mkdirSync(path.join(pipeline, autoencoder));
    for (const source of [pipeline, path.join(pipeline, 'unet')])
      await expect(importCheckpoint(source, output)).rejects.toThrow(
        `unet: a network of latents, not of images: there is a ${autoencoder} beside it`,
      );
  });

  test('weights of the half-precision variant are found, after the full ones', async () => {
    fresh({});
    const full = path.join(source, 'diffusion_pytorch_model.safetensors');
    const half = path.join(source, 'diffusion_pytorch_model.fp16.safetensors');
    cpSync(full, half);
    expect((await importCheckpoint(source, output)).card.source).not.toContain('fp16');
    rmSync(full);
    expect((await importCheckpoint(source, output)).card.source).toContain('fp16');
  });

  test('a scheduler that is not there is stood in for, and said so', async () => {
    fresh({});
    rmSync(path.join(source, 'scheduler_config.json'));
    const { card, notes } = await importCheckpoint(source, output);
    expect(card.schedule?.name).toBe('linear');
    expect(notes).toEqual([expect.stringContaining('no scheduler_config.json')]);
  });
});

describe('of several weights in a checkpoint', () => {
  const source = fixture('adm-class-conditional', 'model.pt');
  const options = { size: 16, headChannels: 8, order: 'new' as const };

  test('those that are asked for are taken', async () => {
    const { notes } = await importCheckpoint(source, output, { ...options, weights: 'ema' });
    expect(notes[0]).toBe('weights: ema (there are also model)');
    await expect(importCheckpoint(source, output, { weights: 'model' })).rejects.toThrow(
      'of no family that is known: among its 1 tensors are other',
    );
    await expect(importCheckpoint(source, output, { ...options, weights: 'raw' })).rejects.toThrow(
      "no weights under 'raw'; there are: ema, model",
    );
  });

  test('those are taken that are a network, if the averaged ones are none', async () => {
    const [{ state }] = await readCheckpoint(fixture('ddpm', 'model.pt'));
    const tensors = [...state];
    const saved = tensors.map(([name, { dtype, shape }], i) => {
      const type = dtype === 'float32' ? 'FloatStorage' : 'HalfStorage';
      const stride = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
      const elements = sizeOf(shape);
      return [name, make.rebuilt({ key: `${i}`, elements, type, size: shape, stride })] as const;
    });
    const model = make.dictionary(Object.fromEntries(saved));
    const ema = make.dictionary({ decay: saved[0]?.[1] as Buffer });
    const content = make.pickle(make.dictionary({ ema, model }));
    const storages = tensors.map(([, t], i) => [`${i}`, Buffer.from(t.bytes())]);
    const file = path.join(folder, 'both.pt');
    make.written(file, make.torchArchive(content, Object.fromEntries(storages)));
    const { notes } = await importCheckpoint(file, output);
    expect(notes[0]).toBe('weights: model (there are also ema)');
  });
});

test('a checkpoint of another family is said to be one', async () => {
  const name = path.join(folder, 'other.safetensors');
  const header = '{"layer.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(name, Buffer.concat([length, Buffer.from(header), Buffer.alloc(4)]));
  await expect(importCheckpoint(name, output)).rejects.toThrow('of no family that is known');
  await expect(importCheckpoint(name, path.join(folder, 'model.pt'))).rejects.toThrow('.onnx');
});

test('nothing is written when something is wrong', async () => {
  const target = path.join(folder, 'nothing.onnx');
  const source = fixture('adm-learned-variance', 'model.pt');
  await expect(importCheckpoint(source, target, { size: 8, headChannels: 7 })).rejects.toThrow(
    UserError,
  );
  expect(existsSync(target)).toBe(false);
});
