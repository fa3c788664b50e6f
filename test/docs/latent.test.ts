/** Every dsg command of docs/latent.md, in its order, on a tiny pipeline of the same form. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dsg, writePicture } from '../cli/harness.ts';
import { writeEmbedder, writeNetwork, writeSegmenter } from '../cli/loss-networks.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { pipelineFolder } from '../helpers/latent.ts';

const text = readFileSync(new URL('../../docs/latent.md', import.meta.url), 'utf8');
const home = process.cwd();

/** The words of a command, quoted ones being one. */
const commands = [...text.matchAll(/^dsg .*/gm)].map(([line]) =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '').slice(1),
);

beforeAll(async () => {
  process.chdir(temporaryFolder());
  cpSync(pipelineFolder('sd15'), 'sd', { recursive: true });
  for (const picture of ['photo.png', 'painting.png', 'face.png']) await writePicture(picture, 64);
  const labels = { create: { width: 64, height: 64, channels: 3, background: '#010101' } } as const;
  await sharp(labels).png().toFile('labels.png');
  // Tokens of patches, as the tower of a vision transformer has them.
  writeNetwork(
    'clip.onnx',
    (b, image) => {
      const patches = b.reshape(b.op('AveragePool', [image], poolOf(4)), [1, 3, 16]);
      const tokens = b.op('Tanh', [b.transpose(patches, [0, 2, 1])]);
      return { '/encoder/layers.2/Add_1_output_0': tokens };
    },
    { single: true },
  );
  writeSegmenter('segmenter.onnx', { size: 64 });
  writeEmbedder('arcface.onnx', { size: 112 });
});
afterAll(() => process.chdir(home));

const poolOf = (k: number) => ({ kernel_shape: [k, k], strides: [k, k] });

test('there are commands', () => expect(commands.length).toBeGreaterThan(6));

test.each(commands.map((args) => [args.join(' '), args] as const))('dsg %s', async (_, args) => {
  const [command] = args;
  for (const results of ['out', 'restored']) rmSync(results, { recursive: true, force: true });
  const small = args.map((a) => a.replace(/=512$/, '=64'));
  const fast = command === 'inspect' ? [] : ['--steps', '4', '--device', 'cpu'];
  const { code, stderr } = await dsg([...small, ...fast]);
  expect({ code, complaint: code === 0 ? '' : stderr }).toEqual({ code: 0, complaint: '' });
});
