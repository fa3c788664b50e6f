/** Attentions of many weights, a block of queries at a time. */
import { expect, test } from 'vitest';
import { copyOf } from '../../src/autodiff/differentiate.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph, Value } from '../../src/onnx/graph.ts';
import { peakBytes } from '../../src/onnx/peak.ts';
import { sliceAttention } from '../../src/simplify/sliced-attention.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const size = 8;

function attention(
  [queries, keys]: readonly [number, number],
  lead: readonly number[],
  between: (b: GraphBuilder, scores: Value) => Value,
): Graph {
  const b = new GraphBuilder();
  const q = b.input('q', 'float32', [...lead, queries, size]);
  const kT = b.input('kT', 'float32', [...lead, size, keys]);
  const v = b.input('v', 'float32', [...lead, keys, 5]);
  const weights = b.op('Softmax', [between(b, b.matMul(q, kT))], { axis: lead.length + 1 });
  b.output(b.matMul(weights, v), 'y');
  return b.graph;
}

const sliced = (graph: Graph): Graph => {
  const b = new GraphBuilder(copyOf(graph));
  sliceAttention(b);
  return b.graph;
};
const scans = ({ nodes }: Graph): number => nodes.filter((n) => n.opType === 'Scan').length;

test.each([
  { name: 'no scale', sizes: [2048, 2050], lead: [2], between: (_: GraphBuilder, s: Value) => s },
  {
    name: 'heads in two axes, a scale and a divisor',
    sizes: [2048, 1025],
    lead: [2, 2],
    between: (b: GraphBuilder, s: Value) => b.div(b.mul(s, b.constant(0.5)), b.constant(3)),
  },
  {
    name: 'a number of queries without divisors',
    sizes: [2053, 2050],
    lead: [2],
    between: (b: GraphBuilder, s: Value) => b.scale(s, 0.1),
  },
] as const)('the same: $name', async ({ sizes, lead, between }) => {
  const whole = attention(sizes, lead, between);
  const found = sliced(whole);
  expect(scans(found)).toBe(1);
  const feeds = Object.fromEntries(
    whole.inputs.map(({ name, shape }) => [name, randomTensor(name, shape)]),
  );
  const [a, b] = [await runGraph(found, feeds), await runGraph(whole, feeds)];
  expect(relativeError(a['y']!, b['y']!)).toBeLessThan(1e-6);
  expect(peakBytes(found)).toBeLessThan(0.6 * peakBytes(whole));
});

test.each([
  { name: 'few weights', graph: attention([64, 64], [2], (_, s) => s) },
  {
    name: 'a mask',
    graph: attention([2048, 2050], [2], (b, s) => b.add(s, b.input('mask', 'float32', [2050]))),
  },
])('left as it is: $name', ({ graph }) => {
  expect(sliced(graph).nodes).toEqual(graph.nodes);
});
