/** The forms of graphs that devices are given. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { formFor } from '../../src/session/form.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

describe('formFor', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [4, 8]);
  const w = b.constant(randomTensor('w', [8, 8]).data, 'float32', [8, 8]);
  const straight = b.op('MatMul', [x, w]);
  b.output(b.op('MatMul', [b.op('Gemm', [straight, w], { transB: 1 }), w]), 'y');

  it('gives OpenVINO a copy of a matrix for each node that reads it', async () => {
    const graph = formFor('openvino', b.graph);
    const read = graph.nodes.flatMap((n) => n.input.filter((i) => graph.initializers.has(i)));
    expect(read).toHaveLength(3);
    expect(new Set(read).size).toBe(3);
    const feeds = { x: randomTensor('x', [4, 8]) };
    const [expected, found] = [await runGraph(b.graph, feeds), await runGraph(graph, feeds)];
    expect(relativeError(found['y']!, expected['y']!)).toBeLessThan(1e-6);
  });

  it('leaves it alone for ONNX Runtime', () => {
    expect(formFor('cpu', b.graph)).toBe(b.graph);
  });
});
