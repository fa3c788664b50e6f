/** Loops with a constant number of rounds compute what ONNX Runtime's do, and have gradients. */
import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, type GraphProto, type NodeProto } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { dtypes } from '../../src/onnx/dtype.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { valueInfo } from '../../src/onnx/proto.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { branchOf, graphOf, node, value } from '../helpers/onnx.ts';
import { randomTensor } from '../helpers/random.ts';
import { modelIn, sameWhenResolved, withIntegers } from '../helpers/resolved.ts';
import { runGraph } from '../helpers/run.ts';

const shape = [2, 3];
const x = value('x', 'float32', shape);
const y = (...dims: number[]): Value => value('y', 'float32', dims);
const float = { to: dtypes.float32.code };

/** A body of (round, on, carried) that goes on as long as it is let. */
function body(nodes: NodeProto[], outputs: Value[], prefix = ''): GraphProto {
  return create(GraphProtoSchema, {
    name: `${prefix}body`,
    node: [node('Identity', [`${prefix}on`], [`${prefix}goes on`]), ...nodes],
    input: [
      value(`${prefix}round`, 'int64', []),
      value(`${prefix}on`, 'bool', []),
      value(`${prefix}v`, 'float32', shape),
    ].map(valueInfo),
    output: [value(`${prefix}goes on`, 'bool', []), ...outputs].map(valueInfo),
  });
}

const next = value('next', 'float32', shape);
/** sin(v) + round. */
const steps = [
  node('Cast', ['round'], ['place'], float),
  node('Sin', ['v'], ['sine']),
  node('Add', ['sine', 'place'], ['next']),
];
const loop = (of: GraphProto, inputs: string[], outputs = ['y']): NodeProto =>
  node('Loop', inputs, outputs, { body: of });

const integers = { rounds: 3, none: 0, axis: 1 };
const bytesOf = (nodes: NodeProto[], out: Value, inputs = [x], opset = 17): Uint8Array => {
  const graph = withIntegers(graphOf(opset, inputs, [out], nodes), integers);
  graph.initializers.set('true', initializerFrom('bool', [], Uint8Array.of(1)));
  return encodeGraph(graph);
};

describe('a loop', () => {
  test.each<[string, NodeProto[], Value, number?]>([
    ['that carries a value', [loop(body(steps, [next]), ['rounds', 'true', 'x'])], y(...shape)],
    ['without a condition', [loop(body(steps, [next]), ['rounds', '', 'x'])], y(...shape)],
    ['of no rounds', [loop(body(steps, [next]), ['none', 'true', 'x'])], y(...shape)],
    [
      'as often as an axis is long',
      [
        node('Shape', ['x'], ['shape']),
        node('Gather', ['shape', 'axis'], ['long']),
        loop(body(steps, [next]), ['long', 'true', 'x']),
      ],
      y(...shape),
    ],
    [
      'that reads what is around it',
      [
        node('Neg', ['x'], ['outer']),
        loop(body([node('Sub', ['v', 'outer'], ['next'])], [next]), ['rounds', 'true', 'x']),
      ],
      y(...shape),
    ],
    [
      'whose rounds are stacked',
      [loop(body(steps, [next, value('sine', 'float32', shape)]), ['rounds', '', 'x'], ['z', 'y'])],
      y(3, ...shape),
    ],
    [
      'whose rounds are stacked, before opset 13',
      [loop(body(steps, [next, value('sine', 'float32', shape)]), ['rounds', '', 'x'], ['z', 'y'])],
      y(3, ...shape),
      11,
    ],
    [
      'within a loop',
      [
        loop(
          body(
            [
              node('Neg', ['v'], ['n']),
              loop(
                body(
                  [
                    node('Cast', ['round'], ['outer place'], float),
                    node('Mul', ['i.v', 'outer place'], ['scaled']),
                    node('Cos', ['scaled'], ['i.next']),
                  ],
                  [value('i.next', 'float32', shape)],
                  'i.',
                ),
                ['rounds', '', 'n'],
                ['next'],
              ),
            ],
            [next],
          ),
          ['rounds', 'true', 'x'],
        ),
      ],
      y(...shape),
    ],
    [
      'that branches by its round',
      [
        loop(
          body(
            [
              node('Equal', ['round', 'none'], ['first']),
              node('If', ['first'], ['next'], {
                then_branch: branchOf([node('Sin', ['v'], ['a'])]),
                else_branch: branchOf([node('Mul', ['v', 'x'], ['b'])]),
              }),
            ],
            [next],
          ),
          ['rounds', 'true', 'x'],
        ),
      ],
      y(...shape),
    ],
  ])('%s', async (_, nodes, out, opset) => {
    const graph = await sameWhenResolved(bytesOf(nodes, out, [x], opset), x);
    expect(graph.nodes.filter((n) => n.opType === 'Loop' || n.opType === 'If')).toEqual([]);
  });

  test('has the gradient of its rounds one after another', async () => {
    const graph = await resolveGraph(
      modelIn(bytesOf([loop(body(steps, [next]), ['rounds', 'true', 'x'])], y(...shape))),
    );
    const at = randomTensor('x', shape);
    const ones = { shape, data: new Float32Array(6).fill(1) };
    const found = await runGraph(differentiate(graph), { x: at, 'y.cotangent': ones });
    const expected = [...at.data].map((v) => {
      let [slope, now] = [1, v];
      for (let round = 0; round < 3; round++) {
        slope *= Math.cos(now);
        now = Math.sin(now) + round;
      }
      return expect.closeTo(slope, 5) as number;
    });
    expect([...found['x.gradient']!.data]).toEqual(expected);
  });

  test('of which the rounds are not known is named', async () => {
    const k: Value = value('k', 'int64', []);
    const nodes = [loop(body(steps, [next]), ['k', '', 'x'], ['z']), node('Neg', ['z'], ['y'])];
    const bytes = bytesOf(nodes, y(...shape), [x, k]);
    await expect(resolveGraph(modelIn(bytes))).rejects.toMatchObject({
      message: expect.stringContaining('shapes that depend on data: z') as string,
      hint: expect.stringContaining('of Loop z the branch or the number of rounds') as string,
    });
  });

  test('that may end before is left alone', async () => {
    const ending = body([...steps, node('Less', ['round', 'none'], ['less'])], [next]);
    ending.output[0] = valueInfo(value('less', 'bool', []));
    const nodes = [loop(ending, ['rounds', '', 'x'], ['z']), node('Neg', ['z'], ['y'])];
    const bytes = bytesOf(nodes, y(...shape));
    await expect(resolveGraph(modelIn(bytes))).rejects.toThrow('shapes that depend on data');
  });
});
