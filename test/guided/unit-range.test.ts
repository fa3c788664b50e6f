/** Networks of images in [0,1], sampled with in [-1,1]. */
import { expect, test } from 'vitest';
import type { Card } from '../../src/card/card.ts';
import { ports, stepGraph } from '../../src/guided/guided.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { betas } from '../../src/schedules/betas.ts';
import { unitRangeBetas } from '../../src/schedules/unit-range.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { runGraph } from '../helpers/run.ts';

const alphaBars = (b: Float64Array): Float64Array => {
  let product = 1;
  return b.map((beta) => (product *= 1 - beta));
};

test('the noise beside an image of [-1,1] is twice that beside an image of [0,1]', () => {
  const trained = betas({ name: 'linear' });
  const ratio = (a: number): number => Math.sqrt((1 - a) / a);
  const sampled = alphaBars(unitRangeBetas(trained));
  alphaBars(trained).forEach((a, t) =>
    expect(ratio(sampled[t] as number) / ratio(a)).toBeCloseTo(2, 8),
  );
});

test.each(['epsilon', 'v', 'x0'] as const)(
  '%s: the network sees z_t, and ε and x₀ come back',
  async (kind) => {
    const trained = 0.36;
    const [x0, eps] = [0.5, -1.5];
    const z0 = (x0 + 1) / 2;
    const z = Math.sqrt(trained) * z0 + Math.sqrt(1 - trained) * eps;
    const answers = {
      epsilon: eps,
      v: Math.sqrt(trained) * eps - Math.sqrt(1 - trained) * z0,
      x0: z0,
    };
    // Right where it is shown z_t, and wrong by as much as it is not.
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [1, 1, 1, 1]);
    b.output(b.add(b.sub(x, b.scalar(z, x)), b.scalar(answers[kind], x)), 'out');
    const card = {
      prediction: kind,
      range: '[0,1]',
      clip: true,
      inputs: { x: 'x', timestep: 't' },
      output: 'out',
      learnedVariance: false,
    } as Card;
    const alphaBar = trained / (4 - 3 * trained);
    const [signal, noise] = [Math.sqrt(alphaBar), Math.sqrt(1 - alphaBar)];
    const scalar = (v: number) => tensor([], Float32Array.of(v));
    const out = await runGraph(stepGraph(b.graph, card), {
      x: tensor([1, 1, 1, 1], Float32Array.of(signal * x0 + noise * eps)),
      [ports.signal]: scalar(signal),
      [ports.noise]: scalar(noise),
    });
    expect(out[ports.eps]?.data[0]).toBeCloseTo(eps, 5);
    expect(out[ports.x0]?.data[0]).toBeCloseTo(x0, 5);
  },
);
