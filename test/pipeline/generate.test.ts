/** How many images are made. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { generate } from '../../src/pipeline/generate.ts';
import { loadModel } from '../../src/pipeline/model.ts';
import { writeShrinking } from '../cli/models.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const model = await loadModel(writeShrinking(join(temporaryFolder(), 'model.onnx')));
const options = {
  model,
  size: { height: 8, width: 8 },
  method: { name: 'none' },
  sampler: { name: 'ddim', eta: 0 },
  steps: 1,
  seed: 0,
} as const;

async function namesOf(count: number): Promise<string[]> {
  const names: string[] = [];
  for await (const event of generate({ ...options, count }))
    if (event.type === 'result') names.push(event.job.name);
  return names;
}

it('makes as many as are asked for, and none of 0', async () => {
  expect(await namesOf(2)).toEqual(['0000', '0001']);
  expect(await namesOf(0)).toEqual([]);
});

it.each([1.5, -1, NaN, Infinity])('refuses %d', async (count) => {
  await expect(namesOf(count)).rejects.toThrow(
    new UserError(`count is ${count}, expected a whole number from 0`),
  );
});
