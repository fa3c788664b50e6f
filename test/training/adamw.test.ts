import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Graph } from '../../src/onnx/graph.ts';
import { openGraph } from '../../src/session/session.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { adamDefaults, scalarsAt } from '../../src/training/adamw.ts';
import { ports, stepGraph, type StepOptions } from '../../src/training/step.ts';

const start = [0.5, -2, 3];
const target = [1, 1, -1];
const steps = 20;
const rate = 0.1;
const ema = 0.8;

/** Loss Σ (w − target)²/2 of a batch of one: its gradient is w − target. */
function bowl(): Graph {
  const b = new GraphBuilder(emptyGraph('bowl', 17));
  const w = b.initializer('w', {
    dtype: 'float32',
    shape: [3],
    bytes: () => new Uint8Array(Float32Array.from(start).buffer),
  });
  const off = b.sub(w, b.constant(target));
  b.output(b.scale(b.reduce('Sum', b.mul(off, off), [0]), 0.5));
  return b.graph;
}

/** Weights, average and length of the gradient after each step, by ONNX Runtime. */
async function derived(options: StepOptions) {
  const layout = { entries: [{ name: 'w', shape: [3] }], size: 3 };
  const session = await openGraph(stepGraph(bowl(), layout, options), { threads: 1 });
  const vector = (v: readonly number[]): Tensor => tensor([3], Float32Array.from(v));
  let state: Record<string, Tensor> = {
    weights: vector(start),
    mean: vector([0, 0, 0]),
    square: vector([0, 0, 0]),
    average: vector(start),
  };
  const seen = [];
  for (let i = 0; i < steps; i++) {
    const scalars = Object.entries(scalarsAt(i, { rate, ema, betas: options.betas }));
    const given = scalars.map(([name, v]) => [name, tensor([], Float32Array.of(v))]);
    const out = await session.run({ ...state, ...Object.fromEntries(given) });
    state = Object.fromEntries(
      Object.entries(ports.next).map(([key, name]) => [key, out[name] as Tensor]),
    );
    seen.push({
      weights: [...(state['weights'] as Tensor).data],
      average: [...(state['average'] as Tensor).data],
      norm: (out[ports.norm] as Tensor).data[0] as number,
    });
  }
  await session.release();
  return seen;
}

/** The same by the formulas of the articles, in float64. */
function closedForm({ betas: [b1, b2], epsilon, weightDecay, clip = Infinity }: StepOptions) {
  const w = [...start];
  const average = [...start];
  const m = [0, 0, 0];
  const v = [0, 0, 0];
  return Array.from({ length: steps }, (_, i) => {
    const k = i + 1;
    const g = w.map((x, j) => x - (target[j] as number));
    const norm = Math.hypot(...g);
    const shrink = Math.min(1, clip / (norm + 1e-6));
    const decay = Math.min(ema, k / (k + 9));
    for (let j = 0; j < 3; j++) {
      const gj = (g[j] as number) * shrink;
      m[j] = b1 * (m[j] as number) + (1 - b1) * gj;
      v[j] = b2 * (v[j] as number) + (1 - b2) * gj * gj;
      const mHat = (m[j] as number) / (1 - b1 ** k);
      const vHat = (v[j] as number) / (1 - b2 ** k);
      const wj = w[j] as number;
      w[j] = wj - rate * (mHat / (Math.sqrt(vHat) + epsilon) + weightDecay * wj);
      average[j] = decay * (average[j] as number) + (1 - decay) * (w[j] as number);
    }
    return { weights: [...w], average: [...average], norm };
  });
}

describe('AdamW and the average of the weights are the closed form', () => {
  it.each<[string, Partial<StepOptions>]>([
    ['by default', {}],
    ['with decay of the weights', { weightDecay: 0.3 }],
    ['with a clipped gradient', { clip: 0.7 }],
    ['with a clip that is never reached', { clip: 100 }],
    ['with other moments', { betas: [0.5, 0.9], epsilon: 1e-3 }],
  ])('%s', async (_, changes) => {
    const options = { ...adamDefaults, ...changes };
    const expected = closedForm(options);
    const found = await derived(options);
    found.forEach(({ weights, average, norm }, i) => {
      const e = expected[i] as (typeof expected)[number];
      weights.forEach((w, j) => expect(w).toBeCloseTo(e.weights[j] as number, 5));
      average.forEach((a, j) => expect(a).toBeCloseTo(e.average[j] as number, 5));
      expect(norm).toBeCloseTo(e.norm, 5);
    });
  });
});
