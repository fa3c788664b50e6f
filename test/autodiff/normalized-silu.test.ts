/** The gradient of a large normalization and its activation, a group at a time. */
import { expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { defaultForms } from '../../src/autodiff/gradients.ts';
import type { Forms } from '../../src/autodiff/rule.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph, Value } from '../../src/onnx/graph.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const groups = 4;

/** Group norm, modulation and SiLU as exporters write them; `after` may use what lies between. */
function block(
  [n = 1, c = 1, h = 1, w = 1]: readonly number[],
  {
    modulation = [n, c, 1, 1],
    opset = 17,
    scaledBy = (b) => b.input('scale', 'float32', modulation),
    after = (_, y) => y,
  }: {
    modulation?: number[];
    opset?: number;
    scaledBy?: (b: GraphBuilder, x: Value) => Value;
    after?: (b: GraphBuilder, y: Value, z: Value) => Value;
  } = {},
): Graph {
  const b = new GraphBuilder({ ...new GraphBuilder().graph, opset });
  const x = b.input('x', 'float32', [n, c, h, w]);
  const grouped = b.reshape(x, [n, groups, (c / groups) * h * w]);
  const [one, zero] = [1, 0].map((v) => b.constant(new Array<number>(groups).fill(v)));
  const normal = b.op('InstanceNormalization', [grouped, one, zero], { epsilon: 1e-5 });
  const scale = scaledBy(b, x);
  const shift = b.input('shift', 'float32', modulation);
  const z = b.add(b.mul(b.reshape(normal, x.shape), scale), shift);
  const y = b.mul(z, b.op('Sigmoid', [z]));
  b.output(after(b, y, z), 'y');
  return b.graph;
}

const inForm = (graph: Graph, normalizedSilu: Forms['normalizedSilu']): Graph =>
  differentiate(graph, { wrt: 'x', forms: { ...defaultForms, normalizedSilu } });
const scans = (graph: Graph): number => graph.nodes.filter((n) => n.opType === 'Scan').length;

/** How often the body of the only Scan runs. */
const sliceCount = (graph: Graph): number | undefined => {
  const scan = graph.nodes.find((n) => n.opType === 'Scan');
  return graph.values.get(scan?.output[0] ?? '')?.shape[0];
};

const large = [2, 16, 256, 256];
test.each([
  { name: 'a modulation for each image', options: {} },
  { name: 'one for all', options: { modulation: [16, 1, 1] } },
  { name: 'one number', options: { modulation: [1] } },
  { name: 'axes as inputs', options: { opset: 18 } },
  { name: 'two groups in a slice', shape: [4, 32, 128, 128] },
])('the same gradient in slices: $name', async ({ options, shape = large }) => {
  const graph = block(shape, options);
  const [sliced, whole] = [inForm(graph, 'sliced'), inForm(graph, 'whole')];
  expect([scans(sliced), scans(whole)]).toEqual([1, 0]);
  expect(sliceCount(sliced)).toBe(8);
  const feeds = Object.fromEntries(
    [...sliced.inputs].map(({ name, shape }) => [name, randomTensor(name, shape)]),
  );
  const [a, b] = [await runGraph(sliced, feeds), await runGraph(whole, feeds)];
  expect(relativeError(a['x.gradient']!, b['x.gradient']!)).toBeLessThan(1e-6);
});

test.each([
  { name: 'small tensors', graph: block([1, 16, 64, 64]) },
  {
    name: 'a second use of what lies between',
    graph: block(large, { after: (b, y, z) => b.add(y, z) }),
  },
  {
    name: 'a modulation that depends on x too',
    graph: block(large, { scaledBy: (b, x) => b.reduce('Mean', x, [2, 3]) }),
  },
  { name: 'coefficients by pixel', graph: block(large, { modulation: [1, 1, 256, 256] }) },
])('in one for $name', ({ graph }) => {
  expect(scans(inForm(graph, 'sliced'))).toBe(0);
});
