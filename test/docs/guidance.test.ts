/** Every dsg command of docs/guidance.md that has losses, on small files of the same form. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recipes } from '../../src/guidance/recipes.ts';
import { lossKinds } from '../../src/pipeline/loss-spec.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { writeImage } from '../../src/image/write.ts';
import { writeNpy } from '../../src/tensor/npy.ts';
import { dsg, writePicture } from '../cli/harness.ts';
import {
  writeEmbedder,
  writeFeatures,
  writeJudge,
  writeNetwork,
  writeSegmenter,
  writeTextTower,
} from '../cli/loss-networks.ts';
import { writeShrinking } from '../cli/models.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawn } from '../helpers/images.ts';
import { randomTensor } from '../helpers/random.ts';

const text = readFileSync(new URL('../../docs/guidance.md', import.meta.url), 'utf8');
const tokenizer = fileURLToPath(new URL('../fixtures/latent/sd15/tokenizer', import.meta.url));
const folder = temporaryFolder();
const home = process.cwd();
const side = 16;

const lines = [...text.matchAll(/^dsg .*--loss.*/gm)].map(([line]) => line);
/** As a shell splits it. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

/** VGG as it is exported: the names of layers are those of its modules. */
function writeVgg(file: string): void {
  writeNetwork(file, (b, image) => {
    const first = b.rename(b.op('Relu', [image]), '/1/Relu_output_0');
    return { out: b.rename(b.op('Tanh', [first]), '/6/Relu_output_0') };
  });
}

/** The tokens of an image, after two layers of a tower. */
function writeTower(file: string): void {
  writeNetwork(
    file,
    (b, image) => {
      const tokens = b.transpose(b.reshape(image, [1, 3, side * side]), [0, 2, 1]);
      const name = '/vision_model/encoder/layers.2/Add_1_output_0';
      const layer = b.rename(b.op('Tanh', [tokens]), name);
      return { image_embeds: b.reduce('Mean', layer, [1], false) };
    },
    { single: true },
  );
}

/** The distance of an image and a target. */
function writeDistance(file: string): void {
  const b = new GraphBuilder();
  const [image, target] = ['image', 'target'].map((name) =>
    b.input(name, 'float32', [1, 3, side, side]),
  );
  b.output(b.reduce('L2', b.sub(image!, target!), [1, 2, 3], false), 'distance');
  writeFileSync(file, encodeGraph(b.graph));
}

beforeAll(async () => {
  process.chdir(folder);
  for (const model of ['tiny.onnx', 'faces.onnx']) writeShrinking(model);
  for (const picture of ['sunset', 'confetti', 'me', 'photo'])
    await writePicture(`${picture}.png`, side);
  // What a file is shows in its bytes, not in its name.
  for (const picture of ['monet', 'photo']) cpSync('sunset.png', `${picture}.jpg`);
  const grey = drawn([3, side, side], (_, y) => (y < 8 ? -1 : 4 / 255 - 1));
  await writeImage('labels.png', grey, 'png');
  await writeNpy('embedding.npy', randomTensor('embedding', [8]));
  writeEmbedder('w600k_r50.onnx', { size: 8 });
  writeEmbedder('vision_model.onnx', { size: 24, output: 'image_embeds' });
  writeTextTower('text_model.onnx');
  cpSync(tokenizer, 'clip', { recursive: true });
  writeVgg('vgg.onnx');
  writeTower('clip.onnx');
  writeNetwork('style-network.onnx', (b, image) => {
    const first = b.rename(b.op('Relu', [image]), 'relu1');
    return { relu2: b.op('Tanh', [first]) };
  });
  mkdirSync('segformer');
  writeSegmenter('segformer/model.onnx');
  writeJudge('too-dark.onnx', { single: true });
  writeDistance('distance.onnx');
  writeFeatures('features.onnx');
});
afterAll(() => process.chdir(home));

test('there are commands for every kind', () => {
  for (const kind of Object.keys(lossKinds))
    expect(lines.some((line) => line.includes(`--loss ${kind}`))).toBe(true);
});

test('the presets are listed', () => {
  for (const name of Object.keys(recipes())) expect(text).toContain(`| \`${name}\``);
});

test.each(lines)('%s', async (line) => {
  const [, command = '', ...args] = wordsOf(line);
  const small = ['--model', 'tiny.onnx', '--steps', '3', '--device', 'cpu'];
  if (command === 'generate') small.push('--width', String(side));
  const { code, stderr } = await dsg([command, ...args, ...small]);
  expect({ code, complaint: code === 0 ? '' : stderr }).toEqual({ code: 0, complaint: '' });
});

test('the program of the page', async () => {
  const [, program = ''] = /```js\n([\s\S]*?)```/.exec(text) ?? [];
  const body = program
    .replace(/^import .*$/m, '')
    .replaceAll(/\b64\b/g, String(side))
    .replace('steps: 50', 'steps: 2')
    .replace('console.log', 'found.push');
  const { generate, loadLosses, loadModel } = await import('../../src/index.ts');
  const found: unknown[] = [];
  const given = { defaultModel: 'tiny.onnx', generate, loadLosses, loadModel, found };
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  await new AsyncFunction(...Object.keys(given), body)(...Object.values(given));
  expect(found).toEqual(['0000', [3, side, side], '0001', [3, side, side]]);
});
