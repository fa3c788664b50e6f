/** Gradients through the decoder, against central differences of the loss. */
import { expect, test } from 'vitest';
import { measurementLoss } from '../../../src/guided/measured.ts';
import { ports } from '../../../src/guided/guided.ts';
import { operatorOf } from '../../../src/pipeline/degradation.ts';
import { loadModel, type Model } from '../../../src/pipeline/model.ts';
import { respace, steps, type Step } from '../../../src/schedules/respace.ts';
import { betas } from '../../../src/schedules/betas.ts';
import type { Loss } from '../../../src/losses/loss.ts';
import { gaussian, noiseKey } from '../../../src/tensor/noise.ts';
import { tensor, type Tensor } from '../../../src/tensor/tensor.ts';
import {
  largestDifference,
  pipelineFolder,
  pipelines,
  type Pipeline,
} from '../../helpers/latent.ts';
import { lossesOver } from '../../helpers/latent-step.ts';

const key = noiseKey(3, 'guided');
const canvas = { height: 64, width: 64 };
const drawn = (index: number, shape: readonly number[]): Tensor =>
  gaussian(key, 'sample', index, shape);
const step = steps(
  respace(betas({ name: 'scaled_linear' }), 5, { spacing: 'leading', offset: 1 }),
)[2] as Step;

/** How a loss of x̂₀, or of what it decodes to, goes with the latent. */
function lossOver(model: Model, losses: readonly Loss[], most?: number) {
  const placement = { image, top: 2, left: 3 };
  const prompt = drawn(9, [77, 12]);
  return lossesOver(model, losses, { canvas, placement, step, prompt, most });
}

const image = [3, 60, 58] as const;
const blurred = operatorOf({ task: 'deblur', size: 5, std: 1 });
const onImage = measurementLoss(blurred, drawn(1, image));
/** ‖ẑ₀‖₂ of the latent itself. */
const onLatent: Loss = {
  signature: 'norm',
  parameters: {},
  value: (b, _, __, { x0 }) => b.reduce('L2', b.reshape(x0, [1, -1]), [1], false),
};

test.each(pipelines)('%s: in one graph, in stages, and by differences', async (name: Pipeline) => {
  const model = await loadModel(pipelineFolder(name));
  const losses = [onImage, onLatent];
  const whole = await lossOver(model, losses);
  const staged = await lossOver(model, losses, 0);
  const x = drawn(2, [1, 4, 8, 8]);
  const [one, stages] = [await whole.run(x), await staged.run(x)];
  const gradient = one[ports.gradient] as Tensor;
  const scale = Math.max(...gradient.data.map(Math.abs));
  expect(scale).toBeGreaterThan(0);
  const difference = largestDifference(gradient, stages[ports.gradient] as Tensor);
  expect(difference / scale).toBeLessThan(1e-4);
  expect(stages[ports.loss]?.data[0]).toBeCloseTo(one[ports.loss]?.data[0] as number, 3);

  // Along the gradient the loss rises by its norm.
  const norm = Math.hypot(...gradient.data);
  const at = async (h: number): Promise<number> => {
    const moved = x.data.map((v, i) => v + (h * (gradient.data[i] as number)) / norm);
    return (await whole.run(tensor(x.shape, moved)))[ports.loss]?.data[0] as number;
  };
  const h = 0.1;
  expect(((await at(h)) - (await at(-h))) / (2 * h) / norm).toBeCloseTo(1, 2);
  await whole.release();
  await staged.release();
});
