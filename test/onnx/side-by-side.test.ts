import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { sideBySide } from '../../src/onnx/side-by-side.ts';
import { imageAt, stack } from '../../src/tensor/batch.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { randomTensor } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

/** Of two images: a convolution, which a factor of each and a number for all go into. */
function network() {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2, 3, 5, 4]);
  const each = b.input('each', 'float32', [2]);
  const all = b.input('all', 'float32', []);
  const kernel = b.constant(randomTensor('kernel', [3 * 3 * 9]).data, 'float32', [3, 3, 3, 3]);
  const y = b.op('Conv', [x, kernel], { pads: [1, 1, 1, 1] });
  const mixed = b.add(b.mul(y, b.reshape(each, [2, 1, 1, 1])), all);
  b.output(mixed, 'y');
  b.output(b.reduce('Mean', mixed, [1, 2, 3], false), 'mean');
  return b.graph;
}

test('copies take a batch each, share the rest, and have one set of weights', async () => {
  const graph = network();
  const twice = sideBySide(graph, 2, new Set(['x', 'each']));
  expect(twice.inputs.map((i) => i.shape)).toEqual([[4, 3, 5, 4], [4], []]);
  const kernels = [...twice.initializers.values()].filter((t) => t.shape.length === 4);
  expect(kernels).toHaveLength(1);
  const [x, each] = [randomTensor('x', [4, 3, 5, 4]), randomTensor('each', [4])];
  const all = tensor([], Float32Array.of(0.3));
  const found = await runGraph(twice, { x, each, all });
  for (const from of [0, 2]) {
    const part = (t: Tensor): Tensor => stack([imageAt(t, from), imageAt(t, from + 1)]);
    const alone = await runGraph(graph, { x: part(x), each: part(each), all });
    expect(part(found['y']!)).toEqual(alone['y']);
    expect(part(found['mean']!)).toEqual(alone['mean']);
  }
});

test('an input that there is not', () => {
  expect(() => sideBySide(network(), 2, new Set(['z']))).toThrow("no input 'z'");
});
