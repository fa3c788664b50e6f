import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { byteLength } from '../../src/onnx/initializer.ts';
import { parseModel, readModel } from '../../src/onnx/read.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { pipelineFolder } from '../helpers/latent.ts';
import { node } from '../helpers/onnx.ts';

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

test('zeros that are larger than the product still spread it', async () => {
  const b = new GraphBuilder();
  const [x, w] = [b.input('x', 'float32', [3, 4]), b.input('w', 'float32', [4, 2])];
  const product = b.matMul(x, w);
  const { nodes, values } = b.graph;
  for (const name of ['zeros', 'none', 'y'])
    values.set(name, { name, dtype: 'float32', shape: [2, 3, 2] });
  nodes.push(
    node('ConstantOfShape', [b.ints([2, 3, 2]).name], ['zeros']),
    node('Mul', ['zeros', b.constant(0.5).name], ['none']),
    node('Add', [product.name, 'none'], ['y']),
  );
  b.output(values.get('y')!);
  const model = parseModel(encodeGraph(b.graph), { folder: '.', where: 'model' });
  expect((await resolveGraph(model)).outputs[0]?.shape).toEqual([2, 3, 2]);
});
