/** Scans over axes of static length compute what ONNX Runtime's do, and have gradients. */
import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, type GraphProto, type NodeProto } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import type { Attributes } from '../../src/onnx/attributes.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { valueInfo } from '../../src/onnx/proto.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { graphOf, node, value } from '../helpers/onnx.ts';
import { randomTensor } from '../helpers/random.ts';
import { modelIn, sameWhenResolved, withIntegers } from '../helpers/resolved.ts';
import { runGraph } from '../helpers/run.ts';

const x = value('x', 'float32', [2, 3, 4]);
const y = (...dims: number[]): Value => value('y', 'float32', dims);
const row = (name: string, ...dims: number[]): Value => value(name, 'float32', dims);

const body = (inputs: Value[], outputs: Value[], nodes: NodeProto[]): GraphProto =>
  create(GraphProtoSchema, {
    name: 'body',
    node: nodes,
    input: inputs.map(valueInfo),
    output: outputs.map(valueInfo),
  });

const scan = (
  of: GraphProto,
  inputs: string[],
  outputs: string[],
  attributes: Attributes = {},
): NodeProto => node('Scan', inputs, outputs, { body: of, num_scan_inputs: 1, ...attributes });

const bytesOf = (nodes: NodeProto[], out: Value, opset = 17): Uint8Array =>
  encodeGraph(withIntegers(graphOf(opset, [x], [out], nodes), { rounds: 2 }));

/** The slice's sine, of this shape. */
const sines = (...dims: number[]): GraphProto =>
  body([row('slice', ...dims)], [row('sine', ...dims)], [node('Sin', ['slice'], ['sine'])]);

/** s ← sin(s) · slice, which is stacked too. */
const running = body(
  [row('s', 3, 4), row('slice', 3, 4)],
  [row('next', 3, 4), row('all', 3, 4)],
  [
    node('Sin', ['s'], ['sine']),
    node('Mul', ['sine', 'slice'], ['next']),
    node('Identity', ['next'], ['all']),
  ],
);
const start = [
  node('ReduceMax', ['x'], ['start'], { axes: [0], keepdims: 0 }),
  node('Neg', ['x'], ['turned']),
];

describe('a Scan', () => {
  test.each<[string, NodeProto[], Value, number?]>([
    ['of slices', [scan(sines(3, 4), ['x'], ['y'])], y(2, 3, 4)],
    ['before opset 13', [scan(sines(3, 4), ['x'], ['y'])], y(2, 3, 4), 11],
    [
      'of what is computed',
      [node('Neg', ['x'], ['turned']), scan(sines(3, 4), ['turned'], ['y'])],
      y(2, 3, 4),
    ],
    [
      'along another axis',
      [scan(sines(2, 4), ['x'], ['y'], { scan_input_axes: [1], scan_output_axes: [1] })],
      y(2, 3, 4),
    ],
    [
      'along an axis counted from the last',
      [scan(sines(2, 3), ['x'], ['y'], { scan_input_axes: [-1], scan_output_axes: [-2] })],
      y(2, 4, 3),
    ],
    ['backwards', [scan(sines(3, 4), ['x'], ['y'], { scan_input_directions: [1] })], y(2, 3, 4)],
    [
      'that is stacked backwards',
      [scan(sines(3, 4), ['x'], ['y'], { scan_output_directions: [1] })],
      y(2, 3, 4),
    ],
    ['with a state', [...start, scan(running, ['start', 'x'], ['last', 'y'])], y(2, 3, 4)],
    [
      'of which the state is wanted',
      [...start, scan(running, ['start', 'x'], ['y', 'unused'])],
      y(3, 4),
    ],
    [
      'of two tensors, one of them backwards',
      [
        ...start,
        scan(
          body(
            [row('a', 3, 4), row('b', 3, 4)],
            [row('sum', 3, 4)],
            [node('Sin', ['b'], ['sine']), node('Sub', ['a', 'sine'], ['sum'])],
          ),
          ['x', 'turned'],
          ['y'],
          { num_scan_inputs: 2, scan_input_directions: [0, 1] },
        ),
      ],
      y(2, 3, 4),
    ],
    [
      'that reads what is around it',
      [
        ...start,
        scan(
          body(
            [row('slice', 3, 4)],
            [row('sum', 3, 4)],
            [node('Add', ['slice', 'start'], ['sum'])],
          ),
          ['x'],
          ['y'],
        ),
      ],
      y(2, 3, 4),
    ],
    [
      'within a Scan',
      [
        scan(
          body(
            [row('slice', 3, 4)],
            [row('out', 3, 4)],
            [
              node('Cos', ['slice'], ['cosine']),
              scan(
                body(
                  [row('i.slice', 4)],
                  [row('i.sine', 4)],
                  [node('Sin', ['i.slice'], ['i.sine'])],
                ),
                ['cosine'],
                ['out'],
              ),
            ],
          ),
          ['x'],
          ['y'],
        ),
      ],
      y(2, 3, 4),
    ],
    [
      'within a loop',
      [
        node('Loop', ['rounds', '', 'x'], ['y'], {
          body: body(
            [value('round', 'int64', []), value('on', 'bool', []), row('v', 2, 3, 4)],
            [value('goes on', 'bool', []), row('scanned', 2, 3, 4)],
            [node('Identity', ['on'], ['goes on']), scan(sines(3, 4), ['v'], ['scanned'])],
          ),
        }),
      ],
      y(2, 3, 4),
    ],
  ])('%s', async (_, nodes, out, opset) => {
    const graph = await sameWhenResolved(bytesOf(nodes, out, opset), x);
    expect(graph.nodes.filter((n) => n.opType === 'Scan' || n.opType === 'Loop')).toEqual([]);
  });

  test('has the gradient of its rounds one after another', async () => {
    const nodes = [...start, scan(running, ['start', 'x'], ['last', 'y'])];
    const graph = await resolveGraph(modelIn(bytesOf(nodes, y(2, 3, 4))));
    const at = randomTensor('x', x.shape);
    const ones = { shape: [...x.shape], data: new Float32Array(24).fill(1) };
    const stop = new Set(['start']);
    const found = await runGraph(differentiate(graph, { stop }), { x: at, 'y.cotangent': ones });
    // y₀ = sin(s) x₀ and y₁ = sin(y₀) x₁, where s is the larger of x₀ and x₁, and stays.
    const expected = [...at.data].map((_, i) => {
      const [first, second] = [at.data[i % 12] as number, at.data[(i % 12) + 12] as number];
      const sine = Math.sin(Math.max(first, second));
      const slope = i < 12 ? sine * (1 + Math.cos(sine * first) * second) : Math.sin(sine * first);
      return expect.closeTo(slope, 5) as number;
    });
    expect([...found['x.gradient']!.data]).toEqual(expected);
  });
});
