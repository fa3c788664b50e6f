/** Every dsg command of docs/models.md, in its order, on small files of the same form. */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Value } from '../../src/onnx/graph.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { dsg, writePicture } from '../cli/harness.ts';
import { writeShrinking } from '../cli/models.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { graphOf, node } from '../helpers/onnx.ts';

const text = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8');
const fixtures = fileURLToPath(new URL('../fixtures/checkpoint', import.meta.url));
const folder = temporaryFolder();
const home = process.cwd();

/** Which small checkpoint stands for a published one, and what its size makes it need to be told. */
const eight = ['--image-size', '8', '--head-channels', '8'];
const stands: Record<string, { fixture: string; flags?: string[] }> = {
  'ffhq_10m.pt': { fixture: 'adm-learned-variance/model.pt', flags: eight },
  '256x256_diffusion_uncond.pt': { fixture: 'adm-learned-variance/model.pt', flags: eight },
  '256x256_diffusion.pt': {
    fixture: 'adm-class-conditional/model.pt',
    flags: ['--image-size', '16', '--head-channels', '8'],
  },
  'lsun_bedroom.pt': {
    fixture: 'adm-convolutions/model.pt',
    flags: ['--image-size', '8', '--heads', '4'],
  },
  '256x256_classifier.pt': { fixture: 'adm-classifier/model.pt', flags: eight },
  'celeba_hq.ckpt': { fixture: 'ddpm/model.pt', flags: ['--image-size', '8'] },
  '64_256_upsampler.pt': {
    fixture: 'adm-upsampler/model.pt',
    flags: ['--image-size', '16', '--head-channels', '8'],
  },
  'weights.safetensors': { fixture: 'diffusers-ddpm/diffusion_pytorch_model.safetensors' },
  'config.json': { fixture: 'diffusers-ddpm/config.json' },
};

/** Lines of sh blocks, and commands in tables. */
const commands = [
  ...text.matchAll(/^dsg .*/gm),
  ...text.matchAll(/\| `(dsg import [^`]* -o [^`]*)` +\|/g),
].map(([line, inTable]) => (inTable ?? line).split(' ').slice(1));

/** A residual that rounds, named as an exporter names modules. */
function writeNetwork(file: string): void {
  const tensor = (name: string): Value => ({ name, dtype: 'float32', shape: [1, 3, 8, 8] });
  const nodes = [
    node('Sigmoid', ['x'], ['features']),
    node('Round', ['features'], ['rounded']),
    node('Sub', ['rounded', 'features'], ['/quantize/Sub_output_0']),
    node('Add', ['features', '/quantize/Sub_output_0'], ['out']),
  ];
  writeFileSync(file, encodeGraph(graphOf(17, [tensor('x')], [tensor('out')], nodes)));
}

beforeAll(async () => {
  process.chdir(folder);
  for (const [name, { fixture }] of Object.entries(stands))
    cpSync(path.join(fixtures, fixture), path.join(folder, name));
  mkdirSync('ddpm-celebahq-256/unet', { recursive: true });
  mkdirSync('ddpm-celebahq-256/scheduler');
  cpSync(path.join(fixtures, 'diffusers-ddpm'), 'ddpm-celebahq-256/unet', { recursive: true });
  const scheduler = 'scheduler_config.json';
  renameSync(`ddpm-celebahq-256/unet/${scheduler}`, `ddpm-celebahq-256/scheduler/${scheduler}`);
  writeNetwork('vqgan.onnx');
  writeShrinking('arcface.onnx', { size: 16, open: 'batch' });
});
afterAll(() => process.chdir(home));

test('there are commands', () => expect(commands.length).toBeGreaterThan(15));

test.each(commands.map((args) => [args.join(' '), args] as const))('dsg %s', async (line, args) => {
  const [command, source = ''] = args;
  // A photograph of the size that the small networks have.
  await writePicture('photo.png', line.includes('ffhq.onnx') ? 8 : 16);
  if (command === 'restore') rmSync('restored', { recursive: true, force: true });
  const flags = (command === 'import' && stands[source]?.flags) || [];
  const fast = command === 'restore' ? ['--steps', '2', '--device', 'cpu'] : [];
  if (args.includes('deblur')) fast.push('--kernel-size', '5', '--kernel-std', '1');
  const classes = args.map((a) => (a === '207' ? '2' : a.replace('=207', '=2')));
  const { code, stderr } = await dsg([...classes, ...flags, ...fast]);
  // A network of random weights is found out by --check.
  const wanted = args.includes('--check') ? [0, 3] : [0];
  expect({ wanted: wanted.includes(code), stderr: wanted.includes(code) ? '' : stderr }).toEqual({
    wanted: true,
    stderr: '',
  });
});
