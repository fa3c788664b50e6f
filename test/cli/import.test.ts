import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { cardFile } from '../../src/card/card.ts';
import { writeImage } from '../../src/image/write.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg, filesIn, picture, restore } from './harness.ts';

const folder = temporaryFolder();
const model = path.join(folder, 'model.onnx');
const fixture = (...parts: string[]): string =>
  path.join(fileURLToPath(new URL('../fixtures/checkpoint', import.meta.url)), ...parts);
const source = fixture('adm-learned-variance', 'model.pt');
const shape = ['--image-size', '8', '--head-channels', '8'];

describe('dsg import', () => {
  test('writes a model and says what was inferred; the model restores', async () => {
    const { code, stdout, stderr } = await dsg(['import', source, ...shape, '-o', model]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${model}\n` });
    expect(stderr.split('\n')).toEqual([
      'guided-diffusion ε-model, 8×8: 4 MB of weights',
      'predicts epsilon; schedule linear, 1000 steps',
      'attention order: legacy (usual for such networks)',
      'schedule: linear, 1000 steps (usual for such networks)',
      `beside it: ${path.join(folder, 'model.card.json')}; keep them together`,
      `next: dsg inspect ${model}`,
      '',
    ]);
    const image = path.join(folder, 'image.png');
    await writeImage(image, picture(8), 'png');
    const out = path.join(folder, 'restored');
    const task = ['--simulate', '--task', 'inpaint', '--steps', '2'];
    const restored = await restore([image, '--model', model, ...task, '-o', out]);
    expect(restored).toMatchObject({ code: 0 });
    expect(filesIn(out)).toContain('image.png');
  });

  test('--json tells the same to a machine', async () => {
    const args = ['import', fixture('diffusers-ddpm'), '-o', model, '--json', '--quiet'];
    const { code, stdout, stderr } = await dsg(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { results } = JSON.parse(stdout) as { results: { card: object; files: string[] }[] };
    expect(cardFile.parse(results[0]?.card).schedule?.name).toBe('linear');
    expect(results[0]?.files).toHaveLength(2);
  });

  test.each([
    ['an image size that nothing tells', [source], '--image-size 256'],
    ['a field that cards do not have', [source, ...shape, '--card', 'a=1'], "no field 'a'"],
    ['heads said twice', [source, ...shape, '--heads', '2'], 'leave one out'],
    ['a checkpoint that is not there', ['absent.pt'], 'cannot read absent.pt'],
    ['an image size that is none', [source, '--image-size', '0'], 'an integer, 1 or more'],
  ])('%s: an error and what to do', async (_, args, message) => {
    const { code, stderr } = await dsg(['import', ...args, '-o', model]);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });
});
