import { expect, test } from 'vitest';
import { byteLength } from '../../src/onnx/initializer.ts';
import { readModel } from '../../src/onnx/read.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { pipelineFolder } from '../helpers/latent.ts';

test.each(['sd15', 'sd21'] as const)('attention of %s leaves no zeros behind', async (name) => {
  const model = await readModel(`${pipelineFolder(name)}/unet/model.onnx`);
  const weights = model.proto.graph?.initializer ?? [];
  const largest = Math.max(...weights.map((t) => t.rawData.byteLength));
  const shapes = { sample: [1, 4, 32, 32], timestep: [1], encoder_hidden_states: [1, 77, 12] };
  const graph = await resolveGraph(model, { shapes });
  // Scores of 1024 tokens among each other would be 8 MB.
  for (const constant of graph.initializers.values())
    expect(byteLength(constant)).toBeLessThanOrEqual(largest);
});
