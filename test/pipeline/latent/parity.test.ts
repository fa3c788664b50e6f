/** Text to image, against diffusers' StableDiffusionPipeline with its DDIMScheduler. */
import { describe, expect, test } from 'vitest';
import { openAutoencoder } from '../../../src/pipeline/latent/autoencoder.ts';
import { promptCondition } from '../../../src/pipeline/latent/prompt.ts';
import { loadModel } from '../../../src/pipeline/model.ts';
import { openRestorer } from '../../../src/pipeline/restore.ts';
import { tensor, zeros, type Tensor } from '../../../src/tensor/tensor.ts';
import {
  expectedOf,
  largestDifference,
  pipelineFolder,
  pipelines,
  prompts,
} from '../../helpers/latent.ts';

describe.each(pipelines)('%s', (name) => {
  test('prompts are embedded alike', async () => {
    const model = await loadModel(pipelineFolder(name));
    const { condition } = await promptCondition(model, prompts);
    const embedded = condition.given['encoder_hidden_states'] as Tensor;
    expect(largestDifference(await expectedOf(name, 'embedding'), embedded)).toBeLessThan(1e-5);
  });

  test('the same latents become the same latents and the same image', async () => {
    const model = await loadModel(pipelineFolder(name));
    const { condition } = await promptCondition(model, prompts);
    const restorer = openRestorer({
      model,
      method: { name: 'none' },
      sampler: { name: 'ddim', eta: 0 },
      steps: 6,
      seed: 0,
      // The guidance scale of 5.
      classifierFree: { scale: 4 },
      replay: { x_T: await expectedOf(name, 'x_T'), noise: zeros([6, 1, 4, 8, 8]) },
    });
    const run = restorer.restore([{ name: 'x', size: { height: 64, width: 64 }, condition }]);
    let latent: Tensor | undefined;
    let image: Tensor | undefined;
    while (!image) {
      const { value, done } = await run.next();
      if (done) image = value[0] as Tensor;
      else latent = value.x;
    }
    await restorer.release();
    const expected = await expectedOf(name, 'latent');
    const scale = Math.max(...expected.data.map(Math.abs));
    expect(largestDifference(expected, latent as Tensor) / scale).toBeLessThan(1e-4);
    expect(largestDifference(await expectedOf(name, 'image'), image)).toBeLessThan(1e-3);
  });

  test('images become the same latents', async () => {
    const autoencoder = openAutoencoder(await loadModel(pipelineFolder(name)));
    const { data } = await expectedOf(name, 'image');
    const encoded = await autoencoder.encode(tensor([1, 3, 64, 64], data));
    await autoencoder.release();
    expect(largestDifference(await expectedOf(name, 'encoded'), encoded)).toBeLessThan(1e-4);
  });
});
