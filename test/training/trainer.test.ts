/** Training against PyTorch, step by step: reference.py made the losses and weights. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Card } from '../../src/card/card.ts';
import type { OnnxModel } from '../../src/onnx/read.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import { sizeOf, tensor } from '../../src/tensor/tensor.ts';
import type { Dataset } from '../../src/training/dataset.ts';
import { epsilonNetwork, networkCard } from '../../src/training/network.ts';
import type { TrainingState } from '../../src/training/optimiser.ts';
import { layoutOf, packed, parametersOf, type Layout } from '../../src/training/parameters.ts';
import { withWeights } from '../../src/training/replaced.ts';
import { openTrainer, type TrainerOptions } from '../../src/training/trainer.ts';

const reference = (name: string) => readNpy(join(import.meta.dirname, 'reference', `${name}.npy`));
const [classes, size, batch, steps] = [3, 8, 4, 50];

/** Waves, each class with another frequency. */
const waves: Dataset = {
  shape: [3, size, size],
  classes: ['a', 'b', 'c'],
  identity: 'waves',
  description: 'waves',
  at(step, count) {
    const numbers = Array.from({ length: count }, (_, i) => step * count + i);
    const data = numbers.flatMap((n) =>
      Array.from({ length: 3 * size * size }, (_, i) => {
        const [c, y, x] = [Math.floor(i / size / size), Math.floor(i / size) % size, i % size];
        return Math.sin(0.7 * ((n % classes) + 1) * x + 0.3 * n + c) * Math.cos(0.5 * y);
      }),
    );
    return {
      x0: tensor([count, 3, size, size], Float32Array.from(data)),
      labels: numbers.map((n) => n % classes),
    };
  },
};

const shape = { channels: 3, size, width: 8, levels: 2, blocks: 1 };

function card(name: 'linear' | 'cosine'): Card {
  return {
    ...networkCard(shape),
    schedule: { name, timesteps: 1000 },
    timestepScale: 1,
    rescaleTimesteps: false,
    conditioning: {},
  } as Card;
}

/** The network with the weights of reference.py, which lie in the order of their names. */
async function referenceModel(conditional: boolean): Promise<OnnxModel> {
  const { data } = await reference('weights');
  const all = parametersOf(epsilonNetwork({ ...shape, classes }, 0));
  const model = epsilonNetwork(conditional ? { ...shape, classes } : shape, 0);
  const layout = layoutOf(parametersOf(model));
  const values = new Map<string, Float32Array>();
  let at = 0;
  for (const { name, shape: s } of layoutOf(new Map([...all].sort(byName))).entries) {
    values.set(name, data.subarray(at, (at += sizeOf(s))));
  }
  const vector = Float32Array.from(layout.entries.flatMap(({ name }) => [...values.get(name)!]));
  return { ...model, proto: withWeights(model, layout, vector) };
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);

const runs: Record<string, { conditional: boolean } & Partial<TrainerOptions>> = {
  conditional: {
    conditional: true,
    card: card('linear'),
    pUncond: 0.2,
    weightDecay: 0.02,
    clip: 0.5,
  },
  unconditional: { conditional: false, card: card('cosine') },
};

async function optionsOf(name: string): Promise<TrainerOptions> {
  const { conditional, ...run } = runs[name] as (typeof runs)[string];
  return {
    model: await referenceModel(conditional),
    card: card('linear'),
    dataset: waves,
    label: conditional ? { input: 'y', null: classes } : undefined,
    pUncond: 0,
    batch,
    rate: 2e-3,
    ema: 0.9,
    weightDecay: 0,
    seed: 5,
    session: { threads: 1 },
    ...run,
  };
}

/** The losses of some steps, and where they lead. */
async function run(options: TrainerOptions, count: number, from?: TrainingState) {
  const trainer = await openTrainer(options);
  try {
    if (from) trainer.restore(from);
    const losses = [];
    for (let i = 0; i < count; i++) losses.push((await trainer.step()).loss);
    return { losses, state: trainer.state(), layout: trainer.layout };
  } finally {
    await trainer.release();
  }
}

describe.each(Object.keys(runs))('%s training', (name) => {
  it('follows PyTorch for 50 steps, in losses and averaged weights', async () => {
    const { losses, state, layout } = await run(await optionsOf(name), steps);
    const expected = (await reference(`${name}.losses`)).data;
    const worst = Math.max(...losses.map((l, i) => Math.abs(l - (expected[i] as number))));
    // Asked for is 1e-3; what was seen is 3e-7.
    expect(worst).toBeLessThan(1e-5);
    expect(Math.min(...losses)).toBeLessThan(0.7 * (losses[0] as number));

    // Biases that a normalization undoes move by rounding alone: see reference.py.
    const undone = /conv1\.bias$|^up\.0\.0\.(conv2|shortcut)\.bias$/;
    const told = layout.entries.map((e) => e.name).filter((n) => !undone.test(n));
    const average = told.sort().flatMap((n) => [...slice(layout, state.vectors.average, n)]);
    const kept = (await reference(`${name}.average`)).data;
    const distance = kept.map((v, i) => Math.abs(v - (average[5 * i] as number)));
    expect(Math.max(...distance)).toBeLessThan(2e-4);
  });
});

describe('a run', () => {
  it('goes on from a state to the same bits', async () => {
    const options = await optionsOf('conditional');
    const whole = await run(options, 6);
    const half = await run(options, 2);
    const rest = await run(options, 4, half.state);
    expect(rest.losses).toEqual(whole.losses.slice(2));
    expect(rest.state).toEqual(whole.state);
  });

  it('is another with another seed', async () => {
    const options = await optionsOf('conditional');
    const [a, b] = [await run(options, 1), await run({ ...options, seed: 6 }, 1)];
    expect(a.losses).not.toEqual(b.losses);
  });

  it('does not see the class where it is always withheld', async () => {
    const options = { ...(await optionsOf('conditional')), pUncond: 1, weightDecay: 0 };
    const { layout, state } = await run(options, 2);
    const table = (v: Float32Array) => slice(layout, v, 'class.weight');
    const [before, after] = [packed(parametersOf(options.model)), state.vectors.weights];
    const moved = table(after).map((v, i) => v - (table(before)[i] as number));
    const rowOf = (i: number): number => Math.floor(i / 32);
    expect(moved.every((v, i) => (v !== 0) === (rowOf(i) === classes))).toBe(true);
  });

  it('feeds what the card conditions on throughout', async () => {
    const told = { ...(await optionsOf('conditional')), pUncond: 1 };
    const { label: _, ...options } = told;
    const conditioned = { ...told.card, conditioning: { y: classes } };
    const fed = await run({ ...options, label: undefined, card: conditioned }, 2);
    expect(fed.losses).toEqual((await run(told, 2)).losses);
  });

  it('ends where the loss is no number, its state that of before', async () => {
    const options = await optionsOf('unconditional');
    const trainer = await openTrainer({ ...options, rate: 1e30 });
    try {
      const failed = async () => {
        for (let i = 0; i < 4; i++) await trainer.step();
      };
      await expect(failed()).rejects.toThrow(
        /^the loss is NaN at step \d, the length of its gradient NaN$/,
      );
      expect(trainer.state().step).toBeLessThan(4);
    } finally {
      await trainer.release();
    }
  });
});

function slice(layout: Layout, vector: Float32Array, wanted: string): Float32Array {
  let at = 0;
  for (const { name, shape: s } of layout.entries) {
    const end = at + sizeOf(s);
    if (name === wanted) return vector.subarray(at, end);
    at = end;
  }
  throw new Error(wanted);
}
