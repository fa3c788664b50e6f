/** README.md: its program, on a small model, and the commands that dsg prints elsewhere. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as library from '../../src/index.ts';
import { cudaInstall } from '../../src/session/device.ts';
import { writePicture } from '../cli/harness.ts';
import { writeShrinking } from '../cli/models.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const text = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const home = process.cwd();

beforeAll(async () => {
  process.chdir(temporaryFolder());
  writeShrinking('tiny.onnx');
  await writePicture('small.png', 4);
});

afterAll(() => process.chdir(home));

test('the program restores', async () => {
  const [, imported = '', program = ''] =
    /^import \{ (.*) \} from 'dsg';\n([\s\S]*?)^```/m.exec(text) ?? [];
  const given = { ...library, defaultModel: 'tiny.onnx' };
  const names = imported.split(', ') as (keyof typeof given)[];
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  await new AsyncFunction(...names, program)(...names.map((name) => given[name]));
  const { image } = await library.readImage('large.png');
  expect(image.shape).toEqual([3, 16, 16]);
});

test("CUDA's provider comes by the script that dsg doctor names", () => {
  const [, script] = /^ONNXRUNTIME_NODE_INSTALL=cuda12 node (\S+)$/m.exec(text) ?? [];
  expect(script).toMatch(/^node_modules/);
  expect(cudaInstall()).toMatch(new RegExp(`^ONNXRUNTIME_NODE_INSTALL=cuda12 node /.*/${script}$`));
});
