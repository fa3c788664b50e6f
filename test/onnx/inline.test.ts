/** A graph in another computes what it computes alone. */
import { describe, expect, it, test } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Graph, type Value } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { inline } from '../../src/onnx/inline.ts';
import { raiseOpset } from '../../src/onnx/raise.ts';
import { simplify } from '../../src/simplify/simplify.ts';
import { graphOf, node } from '../helpers/onnx.ts';
import { randomTensor } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const weights = initializerFrom('float32', [3, 4], randomTensor('w', [3, 4]).data);

/** y = tanh(x W), and z the sum of its rows; names that the graph around it has as well. */
function network(opset = 17): Graph {
  const b = new GraphBuilder(emptyGraph('network', opset));
  const x = b.input('x', 'float32', [2, 3]);
  const w = b.initializer('w', weights);
  const hidden = b.rename(b.matMul(x, w), 'hidden');
  const y = b.output(b.op('Tanh', [hidden]), 'y');
  b.output(b.reduce('Mean', y, [1], false), 'z');
  return b.graph;
}

/** x doubled goes through the network, and its y comes out. */
function around(inner: Graph, times = 1, opset = 17): { graph: Graph; x: Value } {
  const b = new GraphBuilder(emptyGraph('around', opset));
  const x = b.input('x', 'float32', [2, 3]);
  b.scope = '/dsg';
  const fed = b.scale(x, 2);
  const found = Array.from({ length: times }, () => inline(b, inner, { x: fed }, '/net'));
  const value = (name: string): Value[] => found.map((f) => f.get(name) as Value);
  b.output(
    value('y').reduce((sum, y) => b.add(sum, y)),
    'y',
  );
  b.output(
    value('z').reduce((sum, z) => b.add(sum, z)),
    'z',
  );
  b.output(value('hidden')[0] as Value, 'hidden');
  return { graph: b.graph, x };
}

const x = randomTensor('x', [2, 3]);
const doubled = { ...x, data: x.data.map((v) => 2 * v) };

describe('a network in a graph', () => {
  it('gives what it gives alone, its intermediate values too', async () => {
    const inner = network();
    const alone = await runGraph(
      { ...inner, outputs: [...inner.outputs, inner.values.get('hidden') as Value] },
      { x: doubled },
    );
    const { graph } = around(inner);
    expect(await runGraph(graph, { x })).toEqual(alone);
    expect(await runGraph(simplify(graph), { x })).toEqual(alone);
  });

  it('is left as it is', () => {
    const inner = network();
    const before = JSON.stringify([inner.nodes.length, [...inner.values], inner.nodes[0]?.name]);
    around(inner);
    expect(JSON.stringify([inner.nodes.length, [...inner.values], inner.nodes[0]?.name])).toBe(
      before,
    );
  });

  it('stands under its scope, and shares constants where it comes twice', async () => {
    const { graph } = around(network(), 2);
    const names = graph.nodes.map((n) => n.name).filter((n) => n.startsWith('/net'));
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('/net//MatMul');
    expect(names).toContain('/net_1//MatMul');
    expect([...graph.initializers.values()].filter((t) => t === weights)).toHaveLength(1);
    const once = await runGraph(around(network()).graph, { x });
    const twice = await runGraph(graph, { x });
    expect(twice['y']?.data).toEqual(once['y']?.data.map((v) => 2 * v));
  });

  it('is differentiated through', async () => {
    const { graph } = around(network());
    const b = new GraphBuilder(graph);
    const ones = b.constant([1, 1]);
    const [found] = gradients(b, new Map([['z', ones]]), ['x']).values();
    b.output(found as Value, 'gradient');
    const out = await runGraph(b.graph, { x });
    // z = mean_j tanh(2 x W)_j: dz/dx_i = mean_j 2 (1 - y_j^2) W_ij.
    const w = randomTensor('w', [3, 4]).data;
    const y = out['y']!.data;
    const expected = Array.from({ length: 6 }, (_, k) => {
      const [row, i] = [Math.floor(k / 3), k % 3];
      return [0, 1, 2, 3].reduce(
        (sum, j) => sum + (2 * (1 - y[row * 4 + j]! ** 2) * w[i * 4 + j]!) / 4,
        0,
      );
    });
    expected.forEach((v, k) => expect(out['gradient']!.data[k]).toBeCloseTo(v, 5));
  });

  it('may pass its input through', () => {
    const b = new GraphBuilder();
    const given = b.input('given', 'float32', [2]);
    const value = { name: 'v', dtype: 'float32' as const, shape: [2] };
    const found = inline(b, graphOf(17, [value], [value], []), { v: given }, '/net');
    expect(found.get('v')).toBe(given);
  });

  it('takes the bodies of control flow along', async () => {
    const inner = new GraphBuilder(emptyGraph('loop', 17));
    const rows = inner.input('rows', 'float32', [2, 3]);
    const shift = inner.op('Neg', [inner.constant([1, 2, 3])]);
    const [shifted] = inner.scan([rows], (body, [slice]) => [body.add(slice as Value, shift)]);
    inner.output(shifted as Value, 'out');
    const b = new GraphBuilder();
    const given = b.input('x', 'float32', [2, 3]);
    const copies = [0, 1].map(() => inline(b, inner.graph, { rows: given }, '/net').get('out'));
    b.output(b.add(copies[0] as Value, copies[1] as Value), 'out');
    const { out } = await runGraph(b.graph, { x });
    const expected = x.data.map((v, i) => 2 * (v - (i % 3) - 1));
    out?.data.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 6));
  });
});

describe('operator sets', () => {
  test('an older network is brought to that of the graph', async () => {
    const { graph } = around(network(17), 1, 18);
    expect(await runGraph(graph, { x })).toEqual(await runGraph(around(network(17)).graph, { x }));
  });

  test('a newer network is a defect of the caller', () =>
    expect(() => around(network(18))).toThrow('operator set 18 in a graph of operator set 17'));

  const sizes = [2, 4, 4, 4] as const;
  const image = { name: 'x', dtype: 'float32', shape: sizes } as const;
  const grid = { name: 'g', dtype: 'float32', shape: [2, 3, 3, 2] } as const;
  const sampled = { name: 'y', dtype: 'float32', shape: [2, 4, 3, 3] } as const;
  const half = { dtype: 'float32', shape: [2, 2, 4, 4] } as const;
  const rows: [string, Graph][] = [
    ...['Mean', 'Max', 'L2', 'LogSumExp', 'Sum'].map((kind): [string, Graph] => {
      const b = new GraphBuilder();
      b.output(b.reduce(kind, b.input('x', 'float32', sizes), [2, 3]), 'y');
      return [`Reduce${kind}`, b.graph];
    }),
    [
      'Split',
      graphOf(
        17,
        [image],
        ['a', 'b'].map((name) => ({ name, ...half })),
        [node('Split', ['x'], ['a', 'b'], { axis: 1 })],
      ),
    ],
    ...['bilinear', 'nearest', 'bicubic', undefined].map((mode): [string, Graph] => [
      `GridSample ${mode}`,
      graphOf(17, [image, grid], [sampled], [node('GridSample', ['x', 'g'], ['y'], { mode })]),
    ]),
  ];
  const signal = { name: 's', dtype: 'float32', shape: [1, 6, 4, 1] } as const;
  const spectrum = { name: 'y', dtype: 'float32', shape: [1, 6, 4, 2] } as const;
  for (const axis of [undefined, 2])
    rows.push([
      `DFT along ${axis ?? 'the usual axis'}`,
      graphOf(17, [signal], [spectrum], [node('DFT', ['s'], ['y'], { axis })]),
    ]);
  test.each(rows)('%s computes the same in opset 22', async (_, graph) => {
    for (const value of [image, grid, sampled]) graph.values.set(value.name, value);
    const raised = raiseOpset(graph, 22);
    expect(raised.opset).toBe(22);
    const feeds = {
      x: randomTensor('image', sizes),
      g: randomTensor('grid', grid.shape),
      s: randomTensor('signal', signal.shape),
    };
    expect(await runGraph(raised, feeds)).toEqual(await runGraph(graph, feeds));
  });

  test('what is as new already is the same graph', () => {
    const graph = network(20);
    expect(raiseOpset(graph, 18)).toBe(graph);
  });
});

describe('refusals', () => {
  test.each<[string, Record<string, Value>]>([
    ["input 'x' float32 [2,3] is missing", {}],
    [
      "input 'x' is float32 [2,3], got float32 [2,4]",
      { x: { name: 'v', dtype: 'float32', shape: [2, 4] } },
    ],
    [
      "input 'x' is float32 [2,3], got float16 [2,3]",
      { x: { name: 'v', dtype: 'float16', shape: [2, 3] } },
    ],
  ])('%s', (message, inputs) => {
    expect(() => inline(new GraphBuilder(), network(), inputs, '/net')).toThrow(message);
  });
});
