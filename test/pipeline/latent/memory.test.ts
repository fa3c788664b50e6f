/** Large images: in windows through the decoder, and in stages where there is a gradient. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { autoencoderPorts, decoderGraph } from '../../../src/guided/decoded.ts';
import { guidedGraph } from '../../../src/guided/guided.ts';
import { measurementLoss } from '../../../src/guided/measured.ts';
import { GraphBuilder } from '../../../src/onnx/builder.ts';
import { writeGraph } from '../../../src/onnx/write.ts';
import { operatorOf } from '../../../src/pipeline/degradation.ts';
import { footprint } from '../../../src/pipeline/footprint.ts';
import { decoderFor, openAutoencoder } from '../../../src/pipeline/latent/autoencoder.ts';
import { graphFor, loadModel } from '../../../src/pipeline/model.ts';
import { peakBytes } from '../../../src/onnx/peak.ts';
import { isStaged } from '../../../src/pipeline/staged.ts';
import { zeros, type Tensor } from '../../../src/tensor/tensor.ts';
import { copiedPipeline, largestDifference, pipelineFolder } from '../../helpers/latent.ts';
import { randomTensor } from '../../helpers/random.ts';
import { runGraph } from '../../helpers/run.ts';

/** A decoder that sees one position at a time, so that windows change nothing. */
async function writeLocalDecoder(file: string, dtype: 'float32' | 'float16'): Promise<void> {
  const b = new GraphBuilder();
  const z = b.input('latent_sample', dtype, [1, 4, 8, 8]);
  const w = b.constant(randomTensor('decoder', [4, 3, 8, 8]).data, dtype, [4, 3, 8, 8]);
  b.output(b.op('ConvTranspose', [z, w], { strides: [8, 8] }), 'sample');
  const open = { latent_sample: ['n', 4, 'h', 'w'], sample: ['n', 3, 'H', 'W'] };
  await writeGraph(b.graph, file, { open });
}

test.each(['float32', 'float16'] as const)('windows join without a seam: %s', async (dtype) => {
  const folder = copiedPipeline();
  await writeLocalDecoder(path.join(folder, 'vae_decoder/model.onnx'), dtype);
  const model = await loadModel(folder);
  const size = { height: 100, width: 60 };
  const z = randomTensor('z', [1, 4, size.height, size.width]);
  const autoencoder = openAutoencoder(model);
  const joined = await autoencoder.decode(z);
  await autoencoder.release();
  const graph = decoderGraph(await decoderFor(model, 1, size));
  const whole = (await runGraph(graph, { [autoencoderPorts.latent]: z }))[autoencoderPorts.image];
  expect(joined.shape).toEqual([1, 3, 800, 480]);
  expect(largestDifference(whole as Tensor, joined)).toBeLessThan(dtype === 'float32' ? 1e-4 : 0.1);
});

test('a large guided step needs memory for its largest stage', async () => {
  const model = await loadModel(pipelineFolder('sd15'));
  const canvas = { height: 208, width: 192 };
  expect(isStaged(model, canvas)).toBe(true);
  expect(isStaged(model, { height: 192, width: 192 })).toBe(false);
  const image = [3, canvas.height, canvas.width] as const;
  const operator = operatorOf({ task: 'inpaint', mask: zeros([1, canvas.height, canvas.width]) });
  const told = { encoder_hidden_states: zeros([77, 12]) };
  const condition = { given: told };
  const job = { name: 'x', operator, measurement: zeros(image), condition };
  const { perImage } = await footprint(job, { model });
  const aim = {
    losses: [measurementLoss(operator, zeros(image))],
    placement: { image, top: 0, left: 0 },
    decoder: await decoderFor(model, 1, { height: 26, width: 24 }),
  };
  const whole = guidedGraph(await graphFor(model, 1, canvas, told), model.card, aim);
  expect(perImage).toBeLessThan(0.9 * peakBytes(whole));
});
