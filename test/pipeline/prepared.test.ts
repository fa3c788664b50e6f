import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openCache, type Cache } from '../../src/cache/cache.ts';
import { seal } from '../../src/cache/entry.ts';
import { writeGraph } from '../../src/onnx/write.ts';
import { superResolution } from '../../src/operators/superresolution.ts';
import { gaussianBlur, kernelBlur } from '../../src/operators/blur.ts';
import type { Operator } from '../../src/operators/operator.ts';
import { modelHash } from '../../src/pipeline/content.ts';
import { loadModel, type Model } from '../../src/pipeline/model.ts';
import { openRestorer } from '../../src/pipeline/restore.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { probeNetwork } from '../../src/pipeline/probe.ts';

const root = temporaryFolder();
const file = join(root, 'model.onnx');
let count = 0;

const write = (seed: number): Promise<void> =>
  // Weights beside the model, as large ones have them.
  writeGraph(probeNetwork({ seed }), file, { externalFrom: 1024 });

beforeAll(() => write(0));

function open(): { cache: Cache; notes: string[] } {
  const notes: string[] = [];
  const folder = join(root, String(++count));
  return { cache: openCache({ folder, limit: 1e9, note: (line) => notes.push(line) }), notes };
}

interface Run {
  readonly model?: Model;
  readonly cache?: Cache | undefined;
  readonly operator?: Operator;
  readonly side?: number;
}

/** Three guided steps out of four, so that both graphs run. */
async function sampled({ model, cache, operator, side = 16 }: Run): Promise<Tensor> {
  const restorer = openRestorer({
    model: model ?? (await loadModel(file)),
    method: { name: 'dsg', rate: 0.1, interval: 3 },
    sampler: { name: 'ddim', eta: 1 },
    steps: 4,
    seed: 0,
    session: { device: 'cpu' },
    cache,
  });
  const measurement = tensor([3, side, side], new Float32Array(3 * side * side).fill(0.3));
  const blur = operator ?? gaussianBlur({ size: 9, std: 1 });
  const run = restorer.restore([{ name: 'a', measurement, operator: blur }]);
  try {
    for (;;) {
      const { value, done } = await run.next();
      if (done) return value[0] as Tensor;
    }
  } finally {
    await restorer.release();
  }
}

const graphs = async (cache: Cache): Promise<number> => (await cache.list()).length;

describe('the cache of derived graphs', () => {
  test('changes no bit, whether graphs come out of it or go into it', async () => {
    const { cache, notes } = open();
    const without = await sampled({});
    expect(await sampled({ cache })).toEqual(without);
    expect(await graphs(cache)).toBe(2);
    expect(await sampled({ cache })).toEqual(without);
    expect(await graphs(cache)).toBe(2);
    expect(notes).toEqual([]);
  });

  test('says of each entry what it is', async () => {
    const { cache } = open();
    await sampled({ cache });
    const abouts = (await cache.list()).map(({ about }) => about);
    const shapes = { x: [1, 3, 16, 16] };
    for (const graph of ['step', 'guided'])
      expect(abouts).toContainEqual({ model: file, graph, device: 'cpu', shapes });
  });

  test('tells models, operators and measurements apart', async () => {
    const { cache } = open();
    await sampled({ cache });
    await sampled({ cache, operator: gaussianBlur({ size: 9, std: 2 }) });
    expect(await graphs(cache)).toBe(3);
    await sampled({ cache, operator: superResolution({ scale: 2 }), side: 8 });
    expect(await graphs(cache)).toBe(4);
    // Of one size, and one the other's mirror image.
    for (const taps of [
      [0.6, 0.3, 0.1],
      [0.1, 0.3, 0.6],
    ])
      await sampled({
        cache,
        operator: kernelBlur({ kernel: tensor([1, 3], Float32Array.from(taps)) }),
      });
    expect(await graphs(cache)).toBe(6);
    await write(1);
    try {
      const other = await sampled({ cache });
      expect(await graphs(cache)).toBe(8);
      expect(other).toEqual(await sampled({}));
    } finally {
      await write(0);
    }
  });

  test('notices weights that changed beside an unchanged .onnx file', async () => {
    const { cache } = open();
    const [model, weights] = [file, `${file}.data`];
    for (const name of [model, weights]) utimesSync(name, 1000, 1000);
    const before = await sampled({ cache });
    const graph = probeNetwork({ seed: 2 });
    await writeGraph(graph, join(root, 'other', 'model.onnx'), { externalFrom: 1024 });
    writeFileSync(weights, readFileSync(join(root, 'other', 'model.onnx.data')));
    try {
      expect(await sampled({ cache })).not.toEqual(before);
    } finally {
      await write(0);
    }
  });

  test('goes on without what cannot be written there', async () => {
    const { cache, notes } = open();
    const without = await sampled({});
    const full: Cache = {
      ...cache,
      entry: (key, make) =>
        cache.entry(key, async () => {
          const fill = await make();
          return async (folder) => {
            // Where the optimized graph goes: something that no file can take the place of.
            mkdirSync(join(folder, 'graph.onnx'));
            return fill(folder);
          };
        }),
    };
    expect(await sampled({ cache: full })).toEqual(without);
    expect(notes).toEqual([expect.stringContaining('cache: nothing is kept in ')]);
    expect(await graphs(cache)).toBe(0);
  });

  test('never takes what was read for what is there now', async () => {
    const { cache } = open();
    const live = join(root, 'live', 'model.onnx');
    // All in one file, so that all of it is read at once.
    await writeGraph(probeNetwork({ seed: 3 }), live);
    const old = await loadModel(live);
    const before = await sampled({ model: old });
    await writeGraph(probeNetwork({ seed: 4 }), live);
    expect(await sampled({ model: old, cache })).toEqual(before);
    expect(await graphs(cache)).toBe(0);
    await expect(modelHash(old)).rejects.toThrow(
      'model.onnx: it was replaced or changed after the model was read',
    );
    const replaced = await loadModel(live);
    expect(await sampled({ model: replaced, cache })).toEqual(await sampled({ model: replaced }));
  });

  test('refuses weights that are not those of the model that was read', async () => {
    const { cache } = open();
    const old = await loadModel(file);
    await write(5);
    try {
      const message = 'model.onnx.data was replaced or changed after the model was read';
      for (const given of [{}, { cache }])
        await expect(sampled({ model: old, ...given })).rejects.toThrow(message);
      expect(await graphs(cache)).toBe(0);
    } finally {
      await write(0);
    }
  });

  test('does without an entry that ONNX Runtime refuses', async () => {
    const { cache, notes } = open();
    const without = await sampled({});
    const folder = join(cache.place.folder, 'graphs');
    await sampled({ cache });
    // Whole as far as the cache can tell, and yet no model.
    for (const key of readdirSync(folder)) {
      rmSync(join(folder, key, 'entry.json'));
      writeFileSync(join(folder, key, 'graph.onnx'), 'nonsense');
      await seal(join(folder, key), key, {});
    }
    expect(await sampled({ cache })).toEqual(without);
    expect(notes).toHaveLength(2);
    expect(await sampled({ cache })).toEqual(without);
    expect(notes).toHaveLength(2);
  });
});
