/** Names of nodes are optional in ONNX, and ONNX Runtime refuses a graph that gives two nodes the same one. */
import { expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Graph } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph, encodeModel } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const shape = [1, 4, 64, 64];

/** Normalizations and activations of values so large that the backward pass computes them again. */
function network(): Graph {
  const b = new GraphBuilder(emptyGraph('model', 21));
  const [gain, bias] = [b.constant([1, 2, 3, 4]), b.constant([0.1, 0, -0.1, 0.2])];
  const { data } = randomTensor('kernel', [4, 4, 3, 3]);
  const kernel = b.initializer('kernel', initializerFrom('float32', [4, 4, 3, 3], data));
  let x = b.input('x', 'float32', shape);
  for (let i = 0; i < 2; i++) {
    const normal = b.op('GroupNormalization', [x, gain, bias], { num_groups: 2 });
    const active = b.mul(normal, b.op('Sigmoid', [normal]));
    x = b.op('Conv', [active, kernel], { pads: [1, 1, 1, 1] });
  }
  b.output(x, 'y');
  return b.graph;
}

/** The derived graph of a file, as it is or without the names of its nodes. */
async function derived(named: boolean): Promise<Graph> {
  const from = { folder: '.', where: 'model' };
  const { proto } = parseModel(encodeGraph(network()), from);
  if (!named) for (const node of proto.graph?.node ?? []) node.name = '';
  return differentiate(await resolveGraph(parseModel(encodeModel(proto), from)));
}

it('nodes without names are differentiated as those with', async () => {
  const feeds = { x: randomTensor('x', shape), 'y.cotangent': randomTensor('cotangent', shape) };
  const own = await runGraph(await derived(false), feeds);
  const named = await runGraph(await derived(true), feeds);
  expect(relativeError(own['x.gradient']!, named['x.gradient']!)).toBeLessThan(1e-6);
});
