/** The constraint of DSG, measured: steps of DSG end on the sphere, and steps of DPS do not. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { loadModel } from '../../src/pipeline/model.ts';
import type { Method } from '../../src/pipeline/method.ts';
import { deviations, waves } from '../helpers/deviation.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { mixtureGraph } from '../helpers/mixture.ts';
import { encodeOpenBatch } from '../helpers/open-batch.ts';

const file = path.join(temporaryFolder(), 'waves.onnx');
writeFileSync(file, encodeOpenBatch(mixtureGraph(waves, 1)));
const model = await loadModel(file, { clip: false });

async function measure(method: Method): Promise<{ all: number[]; last: number; error: number }> {
  const { found, error } = await deviations(model, method, 50);
  expect(found.map((f) => f.index)).toEqual(Array.from({ length: 49 }, (_, i) => 49 - i));
  const all = found.flatMap((f) => f.ratios);
  const last = Math.min(...(found.at(-1)?.ratios ?? []));
  return { all, last, error };
}

const unguided = await measure({ name: 'none' });

test('noise itself lies within a standard deviation of 1/√2n about the sphere', () => {
  const n = 3 * 16 * 16;
  const squares = unguided.all.reduce((sum, r) => sum + (r - 1) ** 2, 0);
  expect(Math.sqrt((squares / unguided.all.length) * 2 * n)).toBeCloseTo(1, 0);
});

test.each([0.1, 0.5, 1])('DSG at rate %d ends on it, and nearer to the image', async (rate) => {
  const { all, error } = await measure({ name: 'dsg', rate, interval: 1 });
  for (const ratio of all) expect(ratio).toBeCloseTo(1, 4);
  expect(error).toBeLessThan(0.5 * unguided.error);
});

test('DPS leaves it, the further the larger its step', async () => {
  const lasts: number[] = [];
  for (const stepSize of [0.3, 1, 3, 10])
    lasts.push((await measure({ name: 'dps', stepSize })).last);
  expect(lasts[0]).toBeGreaterThan(1.05);
  expect(lasts[1]).toBeGreaterThan(1.3);
  expect(lasts[2]).toBeGreaterThan(2);
  expect(lasts[3]).toBeGreaterThan(5);
});
