/** What is computed in float16, and what is not. */
import { expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { gpuForms } from '../../src/autodiff/gradients.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Graph } from '../../src/onnx/graph.ts';
import { narrow } from '../../src/onnx/narrow.ts';
import { simplify } from '../../src/simplify/simplify.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const side = 96;

/** An image read near its right edge, by offsets that a convolution makes; smooth, so that places tell. */
function warped(): Graph {
  const b = new GraphBuilder(emptyGraph('warped', 20));
  const x = b.input('x', 'float32', [1, 2, side, side]);
  const kernel = b.constant(randomTensor('kernel', [2, 2, 5, 5]).data, 'float32', [2, 2, 5, 5]);
  const flow = b.op('Conv', [x, kernel], { strides: [8, 8] });
  const moved = b.add(b.scale(b.transpose(flow, [0, 2, 3, 1]), 0.01), b.constant(0.83));
  b.output(b.op('GridSample', [x, moved]), 'y');
  return b.graph;
}

test('places in an image stay in float32, whatever makes them', async () => {
  const graph = differentiate(warped(), { forms: gpuForms });
  const half = simplify(narrow(graph, () => false));
  const types = new Set([...half.values.values()].map((v) => v.dtype));
  expect(types).toContain('float16');
  const [y] = graph.outputs;
  const data = Float32Array.from({ length: 2 * side ** 2 }, (_, i) => Math.sin((i % side) * 0.7));
  const feeds = {
    x: { shape: [1, 2, side, side], data },
    'y.cotangent': randomTensor('cotangent', y!.shape),
  };
  const [plain, narrowed] = [await runGraph(graph, feeds), await runGraph(half, feeds)];
  for (const [name, value] of Object.entries(plain))
    expect(relativeError(narrowed[name]!, value)).toBeLessThan(2e-3);
});
