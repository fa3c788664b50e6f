/** Every dsg command of docs/classes.md, on small files of the same form. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dsg, expectDone, writePicture } from '../cli/harness.ts';
import { writeClassConditional, writeExactClassifier } from '../cli/models.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const text = readFileSync(new URL('../../docs/classes.md', import.meta.url), 'utf8');
const lines = [...text.matchAll(/^dsg .*/gm)].map(([line]) => line);
const folder = temporaryFolder();
const home = process.cwd();

beforeAll(async () => {
  process.chdir(folder);
  writeClassConditional('known.onnx');
  copyFileSync('known.onnx', 'prior.onnx');
  writeFileSync('prior.card.json', JSON.stringify({ conditioning: { y: 3 } }));
  writeExactClassifier('classifier.onnx');
  await writePicture('blurred.png', 4);
});

afterAll(() => process.chdir(home));

/** Fewer steps, and classes that the small models have. */
function small(line: string): string[] {
  const [, command = '', ...args] = line
    .replace('207', '2')
    .replace('ring', 'bright')
    .replace('--steps 3000', '--steps 2 --batch 4')
    .replace('--task deblur', '--task deblur --kernel-size 3')
    .split(' ');
  const trained = args.map((arg) => (arg === 'shapes.onnx' ? 'known.onnx' : arg));
  return command === 'train' ? [command, ...args] : [command, ...trained, '--steps', '2'];
}

test('there are some', () => expect(lines.length).toBeGreaterThan(3));

test.each(lines)('%s', async (line) => {
  expectDone(await dsg(small(line)));
});
