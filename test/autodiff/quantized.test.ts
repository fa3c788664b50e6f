/** Networks that compute in integers. */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Graph, type Value } from '../../src/onnx/graph.ts';
import { narrow } from '../../src/onnx/narrow.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const shape = [1, 3, 8, 8];
const scale = 0.0317;
const point = 117;

/** Rounded to bytes: there and back, as static quantization writes it. */
type Rounding = (b: GraphBuilder, v: Value) => Value;

const rounded: Rounding = (b, v) => {
  const by = [b.constant(scale), b.constant(point, 'uint8')];
  return b.op('DequantizeLinear', [b.op('QuantizeLinear', [v, ...by]), ...by]);
};

/** Clipped to what bytes reach, and what rounding makes of that added as a constant. */
const straightThrough: Rounding = (b, v) => {
  const [least, most] = [-point - 0.5, 255 - point + 0.5].map((n) => b.constant(n * scale));
  const clipped = b.op('Clip', [v, least, most]);
  const step = b.rename(b.sub(rounded(b, v), clipped), `step/${v.name}`);
  return b.add(clipped, step);
};

/** Convolution, SiLU, convolution, with weights of 8 bits for each filter, and values rounded throughout. */
function network(by: Rounding): Graph {
  const b = new GraphBuilder(emptyGraph('quantized', 17));
  const weights = (outputs: number, inputs: number): Value => {
    const list = [...randomTensor(`${outputs} ${inputs}`, [outputs * inputs * 9]).data];
    const bytes = b.constant(
      list.map((v) => Math.max(-127, Math.min(127, Math.round(40 * v)))),
      'int8',
      [outputs, inputs, 3, 3],
    );
    const scales = b.constant(Array.from({ length: outputs }, (_, i) => 0.004 + 0.001 * i));
    return b.op('DequantizeLinear', [bytes, scales], { axis: 0 });
  };
  const pads = [1, 1, 1, 1];
  const inner = by(
    b,
    b.op('Conv', [by(b, b.input('x', 'float32', shape)), weights(8, 3)], { pads }),
  );
  const active = by(b, b.mul(inner, b.op('Sigmoid', [inner])));
  b.output(by(b, b.op('Conv', [active, weights(3, 8)], { pads, strides: [1, 1] })), 'y');
  return b.graph;
}

const feeds = {
  x: randomTensor('x', shape),
  'y.cotangent': randomTensor('cotangent', shape),
};

describe('a quantized network', () => {
  const derived = differentiate(network(rounded));

  test('has the gradient that rounding as a constant leaves', async () => {
    const graph = network(straightThrough);
    const stop = new Set([...graph.values.keys()].filter((name) => name.startsWith('step/')));
    const other = await runGraph(differentiate(graph, { stop }), feeds);
    const own = await runGraph(derived, feeds);
    expect(relativeError(own['x.gradient']!, other['x.gradient']!)).toBeLessThan(1e-5);
    expect(relativeError(own['y']!, other['y']!)).toBeLessThan(1e-5);
  });

  test('can be taken in float16', async () => {
    const half = narrow(derived, () => false);
    const [a, c] = [await runGraph(half, feeds), await runGraph(derived, feeds)];
    expect(relativeError(a['x.gradient']!, c['x.gradient']!)).toBeLessThan(0.05);
  });
});

test('integers that are no rounded numbers carry no gradient', () => {
  const b = new GraphBuilder(emptyGraph('model', 17));
  const x = b.input('x', 'float32', [4]);
  b.output(b.cast(b.cast(x, 'int32'), 'float32'), 'y');
  expect(() => differentiate(b.graph)).toThrow('through any differentiable path');
});
