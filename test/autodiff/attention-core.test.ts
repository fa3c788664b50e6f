/** The gradient of large attentions with their weights computed again, whole and in slices. */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { defaultForms } from '../../src/autodiff/gradients.ts';
import type { Forms } from '../../src/autodiff/rule.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Graph, type Value } from '../../src/onnx/graph.ts';
import { flopsOf } from '../../src/onnx/flops.ts';
import { peakBytes } from '../../src/onnx/peak.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

/** Queries and keys, a head's size: weights of 32 MB for two heads. */
const [queries, keys, size] = [2048, 2050, 8];

interface Options {
  lead?: number[];
  /** What is between the product and the softmax. */
  between?: (b: GraphBuilder, scores: Value) => Value;
  /** Whether keys and values follow from x too. */
  self?: boolean;
  /** What else uses the weights. */
  after?: (b: GraphBuilder, y: Value, weights: Value) => Value;
}

function attention({
  lead = [2],
  between = (b, s) => b.mul(s, b.constant(size ** -0.5)),
  self = true,
  after = (_, y) => y,
}: Options = {}): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [...lead, queries, size]);
  const other = b.input('other', 'float32', [...lead, keys, size]);
  const spread = b.constant(randomTensor('spread', [keys, queries]).data, 'float32', [
    keys,
    queries,
  ]);
  const k = self ? b.add(other, b.scale(b.matMul(spread, x), 0.01)) : other;
  const v = b.mul(k, k);
  const end = lead.length;
  const kT = b.transpose(k, [...lead.keys(), end + 1, end]);
  const weights = b.op('Softmax', [between(b, b.matMul(x, kT))], { axis: -1 });
  b.output(after(b, b.matMul(weights, v), weights), 'y');
  return b.graph;
}

/** The same as one operator, with `heads` query heads packed into channels. */
function operator(keyHeads: number, mask = false): Graph {
  const b = new GraphBuilder(emptyGraph('Attention', 23));
  const x = b.input('x', 'float32', [1, queries, 2 * size]);
  const other = b.input('other', 'float32', [1, keys, keyHeads * size]);
  const inputs = [x, other, b.mul(other, other)];
  if (mask) inputs.push(b.constant(randomTensor('mask', [keys]).data, 'float32', [1, keys]));
  b.output(b.op('Attention', inputs, { q_num_heads: 2, kv_num_heads: keyHeads }), 'y');
  return b.graph;
}

const inForm = (graph: Graph, form: Partial<Forms>, wrt = 'x'): Graph =>
  differentiate(graph, { wrt, forms: { ...defaultForms, ...form } });
const scans = ({ nodes }: Graph): number => nodes.filter((n) => n.opType === 'Scan').length;

async function gradientOf(graph: Graph, wrt = 'x') {
  const feeds = graph.inputs.map(({ name, shape }) => [name, randomTensor(name, shape)] as const);
  return (await runGraph(graph, Object.fromEntries(feeds)))[`${wrt}.gradient`]!;
}

describe('the same gradient as of kept weights', () => {
  test.each<{ name: string; options?: Options; wrt?: string }>([
    { name: 'keys and values of x too' },
    { name: 'queries only', options: { self: false } },
    { name: 'keys and values only', options: { self: false }, wrt: 'other' },
    { name: 'batch and heads apart', options: { lead: [1, 2] } },
    { name: 'divided, nothing added', options: { between: (b, s) => b.div(s, b.constant(3)) } },
  ])('$name', async ({ options, wrt }) => {
    const graph = attention(options);
    const expected = await gradientOf(inForm(graph, { attention: 'kept' }, wrt), wrt);
    for (const form of [
      { attention: 'sliced', recompute: 'most' },
      { attention: 'whole' },
    ] as const) {
      const found = inForm(graph, form, wrt);
      expect(scans(found)).toBe(form.attention === 'sliced' ? 2 : 0);
      expect(relativeError(await gradientOf(found, wrt), expected)).toBeLessThan(1e-5);
    }
  });
});

test.each([
  { name: 'a key head for each', graph: operator(2) },
  { name: 'heads that share one', graph: operator(1) },
])('the operator, $name', async ({ graph }) => {
  for (const wrt of ['x', 'other']) {
    const [kept, sliced] = [
      inForm(graph, { attention: 'kept' }, wrt),
      inForm(graph, { attention: 'sliced' }, wrt),
    ];
    expect([scans(kept), scans(sliced)]).toEqual([0, 1]);
    const expected = await gradientOf(kept, wrt);
    expect(relativeError(await gradientOf(sliced, wrt), expected)).toBeLessThan(1e-5);
    expect(peakBytes(sliced)).toBeLessThan(0.5 * peakBytes(kept));
  }
});

test.each([
  {
    name: 'a mask',
    graph: attention({ between: (b, s) => b.add(s, b.input('mask', 'float32', [keys])) }),
  },
  {
    name: 'a second use of the weights',
    graph: attention({ after: (b, y, w) => b.add(y, b.reduce('Mean', w, [-1])) }),
  },
  { name: 'a masked operator', graph: operator(2, true) },
])('one at a time with $name', ({ graph }) => {
  expect(scans(inForm(graph, { attention: 'sliced' }))).toBe(0);
});

/** Two in a row, so that the first one's weights would have to be kept for long. */
function two(): Graph {
  const b = new GraphBuilder();
  let x = b.input('x', 'float32', [2, queries, size]);
  for (let i = 0; i < 2; i++)
    x = b.matMul(b.op('Softmax', [b.matMul(x, b.transpose(x, [0, 2, 1]))], { axis: -1 }), x);
  b.output(x, 'y');
  return b.graph;
}

test('memory and arithmetic are those of the slices', () => {
  const [kept, whole, sliced] = (['kept', 'whole', 'sliced'] as const).map((attention) =>
    inForm(two(), { attention }),
  ) as [Graph, Graph, Graph];
  const weights = 4 * 2 * queries ** 2;
  expect(peakBytes(kept) / weights).toBeGreaterThan(4);
  expect(peakBytes(sliced) / weights).toBeLessThan(0.5);
  // One product more than the six of either.
  expect(flopsOf(sliced)).toBe(flopsOf(whole));
  expect(flopsOf(sliced) / flopsOf(kept)).toBeCloseTo(7 / 6);
});
