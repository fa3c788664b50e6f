/** The self-check on the default network, with cards that are right and cards that are not. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkModel } from '../../src/pipeline/check.ts';
import { defaultModel, loadModel } from '../../src/pipeline/model.ts';
import { writeClassConditional } from '../cli/models.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const canvas = { height: 64, width: 64 };
const truth = { prediction: 'epsilon', schedule: 'linear', range: '[-1,1]' };

test.each<[string, Record<string, unknown>, string]>([
  ['its own card', {}, 'right'],
  ['v for ε', { prediction: 'v' }, 'wrong'],
  ['x₀ for ε', { prediction: 'x0' }, 'wrong'],
  ['another schedule', { 'schedule.name': 'cosine' }, 'wrong'],
  ['another range', { range: '[0,1]' }, 'wrong'],
])('%s', async (_, overrides, verdict) => {
  const check = await checkModel(await loadModel(defaultModel, overrides), canvas);
  expect(check.verdict).toBe(verdict);
  expect(check.best).toMatchObject(truth);
  expect(check.best.score).toBeLessThan(0.4);
});

test('timesteps on another scale than the network counts in', async () => {
  const check = await checkModel(await loadModel(defaultModel, { timestepScale: 0.001 }), canvas);
  expect(check.verdict).toBe('wrong');
  expect(check.best).toMatchObject({ ...truth, timestepScale: 1 });
});

test.each([
  ['none', true],
  ['the first', false],
])('a network that knows classes is told %s', async (_, none) => {
  const file = writeClassConditional(join(temporaryFolder(), 'classes.onnx'), { none });
  const check = await checkModel(await loadModel(file), { height: 4, width: 4 });
  // Its images are of one grey; the drawing is not, which it takes for noise.
  expect(check.claimed.errors.every((e) => e > 0 && Number.isFinite(e))).toBe(true);
});
