/** Values of a model as its outputs. */
import { describe, expect, test } from 'vitest';
import { exposeValues, nearest } from '../../src/onnx/expose.ts';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { graphOf, node } from '../helpers/onnx.ts';
import { randomTensor } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const value = (name: string) => ({ name, dtype: 'float32' as const, shape: [2, 3] });
const model = parseModel(
  encodeGraph(
    graphOf(
      17,
      [value('x')],
      [value('out')],
      [
        node('Neg', ['x'], ['/block.0/Neg_output_0']),
        node('Identity', ['/block.0/Neg_output_0'], ['/block.1/Identity_output_0']),
        node('Abs', ['/block.1/Identity_output_0'], ['out']),
      ],
    ),
  ),
  { folder: '.', where: 'net.onnx' },
);
const x = randomTensor('x', [2, 3]);

describe('exposed', () => {
  test.each<[string[], (v: number) => number]>([
    [['out'], Math.abs],
    [['/block.0/Neg_output_0'], (v) => -v],
    // Not optimized away, as it is where nobody asks for it.
    [['/block.1/Identity_output_0'], (v) => -v],
  ])('%j', async (names, f) => {
    const graph = await resolveGraph(exposeValues(model, names));
    expect(graph.outputs.map((o) => o.name)).toEqual(names);
    expect((await runGraph(graph, { x }))[names[0]!]?.data).toEqual(x.data.map(f));
  });

  test('several, one of them twice', async () => {
    const names = ['out', '/block.0/Neg_output_0', 'out'];
    const graph = await resolveGraph(exposeValues(model, names));
    expect(graph.outputs.map((o) => o.name)).toEqual(['out', '/block.0/Neg_output_0']);
  });

  test('the model is left as it is', () => {
    exposeValues(model, ['/block.0/Neg_output_0']);
    expect(model.proto.graph?.output.map((o) => o.name)).toEqual(['out']);
  });

  test('what is not there is answered with what is like it', () => {
    expect(() => exposeValues(model, ['block.0/Neg'])).toThrow("net.onnx: no layer 'block.0/Neg'");
  });
});

test('the nearest names', () => {
  const names = ['relu1_1', 'relu1_2', 'relu4_3', 'pool5', 'logits', 'image'];
  expect(nearest('relu4_2', names).slice(0, 2).toSorted()).toEqual(['relu1_2', 'relu4_3']);
  expect(nearest('Logit', names)[0]).toBe('logits');
  expect(nearest('x', names)).toHaveLength(5);
});
