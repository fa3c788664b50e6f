/** The gluing term of PSLD, and starts from the encoder. */
import { describe, expect, test } from 'vitest';
import { adjointGraph, gluingLoss } from '../../../src/guided/gluing.ts';
import { ports } from '../../../src/guided/guided.ts';
import { boxMask } from '../../../src/operators/inpainting.ts';
import { operatorOf, type Degradation } from '../../../src/pipeline/degradation.ts';
import { applyOperator } from '../../../src/pipeline/degrade.ts';
import { encoderFor, openAutoencoder } from '../../../src/pipeline/latent/autoencoder.ts';
import { promptCondition } from '../../../src/pipeline/latent/prompt.ts';
import { encodedStart } from '../../../src/pipeline/latent/start.ts';
import { loadModel } from '../../../src/pipeline/model.ts';
import { openRestorer } from '../../../src/pipeline/restore.ts';
import { betas } from '../../../src/schedules/betas.ts';
import { respace, steps, type Step } from '../../../src/schedules/respace.ts';
import { stack } from '../../../src/tensor/batch.ts';
import { gaussian, noiseKey } from '../../../src/tensor/noise.ts';
import { tensor, type Tensor } from '../../../src/tensor/tensor.ts';
import { expectedOf, largestDifference, pipelineFolder } from '../../helpers/latent.ts';
import { lossesOver } from '../../helpers/latent-step.ts';
import { runGraph } from '../../helpers/run.ts';

const key = noiseKey(4, 'gluing');
const drawn = (index: number, shape: readonly number[]): Tensor =>
  gaussian(key, 'sample', index, shape);
const canvas = { height: 64, width: 64 };
const side = [3, 64, 64] as const;
const folder = pipelineFolder('sd15');
const step = steps(
  respace(betas({ name: 'scaled_linear' }), 5, { spacing: 'leading', offset: 1 }),
)[3] as Step;

const mask = boxMask(64, 64, key);
const tasks: readonly Degradation[] = [
  { task: 'inpaint', mask },
  { task: 'sr', scale: 2 },
  { task: 'deblur', size: 5, std: 1 },
];

describe('c Aᵀ', () => {
  test.each(tasks.map((t) => [t.task, t] as const))('of %s is adjoint to A', async (_, task) => {
    const operator = operatorOf(task);
    const [x, y] = [drawn(0, side), drawn(1, operator.measured(side))];
    const parameters = Object.fromEntries(
      Object.entries(operator.parameters).map(([name, p]) => [ports.parameter(name), stack([p])]),
    );
    const feeds = { x: stack([x]), y: stack([y]), ...parameters };
    const { image } = await runGraph(adjointGraph(operator, side), feeds);
    const dot = ({ data: a }: Tensor, { data: b }: Tensor): number =>
      a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);
    const c = x.data.length / y.data.length;
    const left = c * dot(await applyOperator(operator, x), y);
    const scale = Math.hypot(...x.data) * Math.hypot(...y.data);
    expect(Math.abs(left - dot(image as Tensor, x)) / scale).toBeLessThan(1e-6);
  });
});

test('where a mask hides everything, the term is ‖ẑ₀ − E(D(ẑ₀))‖', async () => {
  const model = await loadModel(folder);
  const hidden = operatorOf({
    task: 'inpaint',
    mask: tensor([1, 64, 64], new Float32Array(64 * 64)),
  });
  const session = await guided(model, hidden, drawn(1, side));
  const noise = await session.run(tensor([1, 4, 8, 8], drawn(2, [4, 8, 8]).data));
  const x0 = noise[ports.x0] as Tensor;
  const autoencoder = openAutoencoder(model);
  const again = await autoencoder.encode(await autoencoder.decode(x0));
  const missed = Math.hypot(...again.data.map((v, i) => v - (x0.data[i] as number)));
  expect(noise[ports.loss]?.data[0] as number).toBeCloseTo(missed, 3);
  await autoencoder.release();
  await session.release();
});

test('its gradient goes through decoder, operator and encoder', async () => {
  const model = await loadModel(folder);
  const session = await guided(model, operatorOf({ task: 'sr', scale: 2 }), drawn(1, [3, 32, 32]));
  const x = drawn(2, [1, 4, 8, 8]);
  const gradient = (await session.run(x))[ports.gradient] as Tensor;
  const norm = Math.hypot(...gradient.data);
  const at = async (h: number): Promise<number> => {
    const moved = x.data.map((v, i) => v + (h * (gradient.data[i] as number)) / norm);
    return (await session.run(tensor(x.shape, moved)))[ports.loss]?.data[0] as number;
  };
  expect(((await at(0.05)) - (await at(-0.05))) / 0.1 / norm).toBeCloseTo(1, 2);
  await session.release();
});

/** The gluing term alone, over a latent. */
async function guided(
  model: Awaited<ReturnType<typeof loadModel>>,
  operator: ReturnType<typeof operatorOf>,
  measurement: Tensor,
) {
  const { latent } = model.card;
  if (!latent) throw new Error('no latent model');
  const loss = gluingLoss(operator, measurement, async () => ({
    graph: await encoderFor(model, 1, canvas),
    latent,
    channels: model.channels,
  }));
  const losses = [(await loss.at?.([1, ...side])) ?? loss];
  const placement = { image: side, top: 0, left: 0 };
  return lossesOver(model, losses, { canvas, placement, step, prompt: drawn(9, [77, 12]) });
}

test('a start from the encoder is the code of the measurement and the noise of the first step', async () => {
  const model = await loadModel(folder);
  const autoencoder = openAutoencoder(model);
  const image = await expectedOf('sd15', 'image');
  const clean = tensor(
    side,
    image.data.map((v) => Math.min(1, Math.max(-1, v))),
  );
  const operator = operatorOf({
    task: 'inpaint',
    mask: tensor([1, 64, 64], new Float32Array(64 * 64).fill(1)),
  });
  const noise = drawn(5, [1, 4, 8, 8]);
  const start = await encodedStart([{ name: 'x', operator, measurement: clean }], {
    autoencoder,
    canvas,
    placed: { image: side, top: 0, left: 0 },
    step,
    noise,
  });
  const { data: code } = await autoencoder.encode(stack([clean]));
  const { alphaBar } = step;
  const expected = code.map(
    (z, i) => Math.sqrt(alphaBar) * z + Math.sqrt(1 - alphaBar) * (noise.data[i] as number),
  );
  expect(largestDifference(start, tensor(start.shape, expected))).toBeLessThan(1e-5);
  await autoencoder.release();
});

test('dps through the decoder comes nearer to the measurement, and psld too', async () => {
  const model = await loadModel(folder);
  const { condition } = await promptCondition(model, { prompt: '' });
  const operator = operatorOf({ task: 'sr', scale: 4 });
  const image = await expectedOf('sd15', 'image');
  const measurement = await applyOperator(operator, tensor(side, image.data));
  const residual = async (
    method: Parameters<typeof openRestorer>[0]['method'],
  ): Promise<number> => {
    const restorer = openRestorer({
      model,
      method,
      sampler: { name: 'ddim', eta: 0 },
      steps: 12,
      seed: 1,
      start: 'encoder',
    });
    const run = restorer.restore([{ name: 'x', operator, measurement, condition }]);
    for (;;) {
      const { value, done } = await run.next();
      if (!done) continue;
      await restorer.release();
      const y = await applyOperator(operator, value[0] as Tensor);
      return Math.hypot(...y.data.map((v, i) => v - (measurement.data[i] as number)));
    }
  };
  const without = await residual({ name: 'none' });
  expect(await residual({ name: 'dps', stepSize: 2 })).toBeLessThan(0.9 * without);
  expect(await residual({ name: 'psld', stepSize: 2, gluing: 0.1 })).toBeLessThan(0.9 * without);
});
