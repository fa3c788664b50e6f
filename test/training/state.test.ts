import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/checkpoint/safetensors.ts';
import { float32Values } from '../../src/onnx/initializer.ts';
import { readState, writeState, type Settings } from '../../src/training/state.ts';
import type { TrainingState } from '../../src/training/optimiser.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { randomTensor } from '../helpers/random.ts';

const folder = temporaryFolder();
const layout = {
  entries: [
    { name: 'stem.weight', shape: [2, 3] },
    { name: 'stem.bias', shape: [2] },
  ],
  size: 8,
};
const settings: Settings = { data: 'cats', rate: 0.001, clip: null };
const vector = (name: string): Float32Array => randomTensor(name, [8]).data;
const state: TrainingState = {
  step: 12,
  vectors: {
    weights: vector('weights'),
    mean: vector('mean'),
    square: vector('square'),
    average: vector('average'),
  },
};

async function written(name: string): Promise<string> {
  const file = join(folder, name);
  await writeState(file, state, layout, settings);
  return file;
}

describe('a checkpoint', () => {
  it('holds the state to the bit', async () => {
    expect(await readState(await written('a'), layout, settings)).toEqual({ state, settings });
  });

  it('is a safetensors file with every weight under its name', async () => {
    const tensors = readSafetensors(await written('b'));
    expect([...tensors.keys()].slice(0, 3)).toEqual([
      'weights/stem.weight',
      'weights/stem.bias',
      'mean/stem.weight',
    ]);
    const bias = tensors.get('average/stem.bias');
    expect(bias && [...float32Values(bias)]).toEqual([...state.vectors.average.subarray(6)]);
    expect(tensors.get('square/stem.weight')?.shape).toEqual([2, 3]);
  });

  it.each(['cats', 'kätzchen', '猫'])(
    'has its data at a multiple of eight bytes, of %s',
    async (data) => {
      const [file, given] = [join(folder, 'aligned'), { ...settings, data }];
      await writeState(file, state, layout, given);
      expect(readFileSync(file).readBigUInt64LE(0) % 8n).toBe(0n);
      expect((await readState(file, layout, given)).state).toEqual(state);
    },
  );

  it('is refused where settings differ, with what they were', async () => {
    const file = await written('c');
    await expect(readState(file, layout, { ...settings, rate: 0.1, clip: 1 })).rejects.toThrow(
      `${file}: made with other settings: rate 0.001, now 0.1; clip none, now 1`,
    );
  });

  it('may be gone on from with other settings where these are free, and with new ones', async () => {
    const other = { ...settings, rate: 0.1, prediction: 'v' };
    const read = await readState(await written('d'), layout, other, ['rate']);
    expect(read).toEqual({ state, settings });
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['empty', () => Buffer.alloc(0)],
    ['cut off in its header', (b) => b.subarray(0, 40)],
    ['cut off in its data', (b) => b.subarray(0, -4)],
    ['longer than it says', (b) => Buffer.concat([b, Buffer.alloc(4)])],
    ['of other bytes', () => Buffer.from('not a checkpoint, but a longer text')],
    [
      'of other weights',
      (b) => Buffer.from(b.toString('latin1').replaceAll('stem', 'root'), 'latin1'),
    ],
    [
      'without its step',
      (b) => Buffer.from(b.toString('latin1').replace('dsg.step', 'dsg.stop'), 'latin1'),
    ],
  ])('is refused when it is %s', async (what, damage) => {
    const file = await written(what);
    writeFileSync(file, damage(readFileSync(file)));
    await expect(readState(file, layout, settings)).rejects.toThrow(
      `${file}: damaged, or not the checkpoint of a training run`,
    );
  });
});
