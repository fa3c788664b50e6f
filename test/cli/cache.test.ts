import { appendFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { digestsOf } from '../helpers/digests.ts';
import { dsg, expectDone, filesIn, restore, writePicture } from './harness.ts';
import { writeShrinking } from './models.ts';

const root = temporaryFolder();
let count = 0;

interface Setting {
  readonly env: Record<string, string>;
  readonly folder: string;
  sample(output: string, env?: Record<string, string>): ReturnType<typeof dsg>;
}

async function setting(): Promise<Setting> {
  const at = join(root, String(++count));
  const input = await writePicture(join(at, 'in', 'a.png'), 16);
  const model = writeShrinking(join(at, 'model.onnx'));
  const folder = join(at, 'cache');
  const env = { DSG_CACHE: folder };
  return {
    env,
    folder,
    sample(output, other = env) {
      const options = ['--task', 'deblur', '--steps', '3', '--interval', '2', '--model', model];
      return restore([input, ...options, '-o', join(at, output)], { env: other });
    },
  };
}

test('dsg cache tells what sampling left there, and clears it', async () => {
  const { env, folder, sample } = await setting();
  expect((await dsg(['cache'], { env })).stdout).toBe(`${folder}: 0 bytes of 8.0 GB, 0 graphs\n`);
  expectDone(await sample('out'));
  const shown = await dsg(['cache'], { env });
  expectDone(shown);
  const [head, ...lines] = shown.stdout.trimEnd().split('\n');
  expect(head).toMatch(/: [\d.]+ kB of 8.0 GB, 2 graphs$/);
  const line = (graph: string): RegExp =>
    new RegExp(
      `^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d +[\\d.]+ (kB|bytes)  model.onnx  ${graph}, 1×3×16×16, cpu$`,
    );
  expect(lines.sort()).toEqual([
    expect.stringMatching(line('guided')),
    expect.stringMatching(line('step')),
  ]);
  const { entries } = JSON.parse((await dsg(['cache', '--json'], { env })).stdout);
  expect(entries).toHaveLength(2);
  expect(entries[0]).toMatchObject({ device: 'cpu', shapes: { x: [1, 3, 16, 16] } });
  const cleared = await dsg(['cache', '--clear'], { env });
  expect(cleared).toMatchObject({ code: 0, stdout: expect.stringMatching(/: [\d.]+ kB freed\n$/) });
  expect(filesIn(folder)).toEqual([]);
});

test('results are the same with the cache, from it, and without it', async () => {
  const { env, folder, sample } = await setting();
  const digest = (output: string): object => digestsOf(join(folder, '..', output), ['a.png']);
  for (const output of ['first', 'second']) expectDone(await sample(output));
  expectDone(await sample('none', { ...env, DSG_CACHE: 'off' }));
  expect(digest('second')).toEqual(digest('first'));
  expect(digest('none')).toEqual(digest('first'));
});

test('it can be off', async () => {
  const env = { DSG_CACHE: 'off' };
  expect(await dsg(['cache'], { env })).toMatchObject({
    code: 0,
    stdout: 'the cache is off (DSG_CACHE=off)\n',
  });
  expect((await dsg(['cache', '--json'], { env })).stdout).toBe('{"folder":null}\n');
});

test('a damaged entry is noted and made again; a folder that is none is noted', async () => {
  const { env, folder, sample } = await setting();
  expectDone(await sample('out'));
  for (const key of readdirSync(join(folder, 'graphs')))
    appendFileSync(join(folder, 'graphs', key, 'graph.onnx'), 'x');
  const again = await sample('again');
  expectDone(again);
  expect(again.stderr).toMatch(/note: cache: .* is damaged and is made again: graph.onnx has \d+/);
  const file = join(root, 'file');
  writeFileSync(file, '');
  const without = await sample('without', { ...env, DSG_CACHE: join(file, 'cache') });
  expectDone(without);
  expect(without.stderr).toMatch(
    /note: cache: nothing is kept in .*cannot write .*: part of its path is not a folder/,
  );
});

test('a limit that is none ends the run before it begins', async () => {
  const { env, sample } = await setting();
  const outcome = await sample('out', { ...env, DSG_CACHE_SIZE: 'much' });
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toBe(
    "error: DSG_CACHE_SIZE: expected a number of bytes, got 'much'\nhint: such as 500M or 8G\n",
  );
});
