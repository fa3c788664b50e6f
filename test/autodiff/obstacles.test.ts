/** Nodes that rules refuse, and how they are reported. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import { expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { UserError } from '../../src/errors.ts';
import type { Attributes } from '../../src/onnx/attributes.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Graph, type Value } from '../../src/onnx/graph.ts';

function oneNode(type: string, shapes: number[][], attributes: Attributes, opset = 17): Graph {
  const b = new GraphBuilder(emptyGraph('model', opset));
  const inputs = shapes.map((shape, i) => b.input(`x${i}`, 'float32', shape));
  b.output(b.op(type, inputs, attributes), 'y');
  return b.graph;
}

/** Integers, which stand for reals, or 0 where they are negative. */
function rectifiedIntegers(): Graph {
  const b = new GraphBuilder(emptyGraph('model', 17));
  const scale = b.constant(0.5);
  const integers = b.op('QuantizeLinear', [b.input('x0', 'float32', [1, 1, 4, 4]), scale]);
  b.output(b.op('DequantizeLinear', [b.op('Relu', [integers]), scale]), 'y');
  return b.graph;
}

/** A short-time transform of complex samples. */
function complexFrames(): Graph {
  const b = new GraphBuilder(emptyGraph('model', 17));
  const x = b.input('x0', 'float32', [1, 8, 2]);
  b.output(b.op('STFT', [x, b.ints(2), b.constant([1, 2, 2, 1])], { onesided: 0 }), 'y');
  return b.graph;
}

/** A window beyond the input, which ONNX Runtime counts in its types before opset 22, and not in its kernels. */
function windowBeyond(): Graph {
  const attributes = { kernel_shape: [1, 1], strides: [3, 3], ceil_mode: 1 };
  const graph = oneNode('LpPool', [[1, 1, 5, 5]], attributes, 18);
  const [counted] = graph.nodes.flatMap((node) => node.output) as [string];
  for (const name of [counted, 'y'])
    graph.values.set(name, { name, dtype: 'float32', shape: [1, 1, 3, 3] });
  return graph;
}

const heads = [1, 2, 3, 4];
const recurrent = (gates: number): number[][] => [
  [3, 2, 4],
  [1, gates * 2, 4],
  [1, gates * 2, 2],
];
const [lstm, rnn] = [recurrent(4), recurrent(1)];

test.each<[string, Graph]>([
  [
    'training_mode takes statistics of the batch',
    oneNode('BatchNormalization', [[2, 3, 4], [3], [3], [3], [3]], { training_mode: 1 }),
  ],
  [
    'its output padding is as large as its stride',
    oneNode(
      'ConvTranspose',
      [
        [1, 2, 3],
        [2, 1, 3],
      ],
      { output_padding: [1], dilations: [2] },
    ),
  ],
  [
    'its mask is shorter than its keys',
    oneNode('Attention', [heads, heads, heads, [3, 2]], {}, 24),
  ],
  ['its scores are capped', oneNode('Attention', [heads, heads, heads], { softcap: 2 }, 23)],
  [
    'it reads a key-value cache',
    oneNode('Attention', [heads, heads, heads, [3, 3], heads, heads], {}, 23),
  ],
  [
    'cubic interpolation is for images only',
    oneNode(
      'GridSample',
      [
        [1, 1, 2, 2, 2],
        [1, 1, 1, 1, 3],
      ],
      { mode: 'cubic' },
      20,
    ),
  ],
  ['it clips what its activations are given', oneNode('LSTM', lstm, { hidden_size: 2, clip: 3 })],
  [
    'its input and forget gates are coupled',
    oneNode('LSTM', lstm, { hidden_size: 2, input_forget: 1 }),
  ],
  ['no gradient rule for quantized values', rectifiedIntegers()],
  [
    'its scales are those of blocks',
    oneNode(
      'QuantizeLinear',
      [
        [4, 2],
        [2, 2],
      ],
      { axis: 0, block_size: 2 },
      21,
    ),
  ],
  ['its state and what it hands on differ', oneNode('LSTM', lstm, { hidden_size: 5 })],
  ['its samples are complex', complexFrames()],
  ['its matrices have more than 32 rows', oneNode('Det', [[33, 33]], {})],
  ...['AveragePool', 'LpPool', 'MaxPool'].map((type): [string, Graph] => {
    const attributes = { kernel_shape: [2, 2], dilations: [2, 2], auto_pad: 'SAME_UPPER' };
    return [
      'ONNX Runtime pads its dilated window as one that is not',
      oneNode(type, [[1, 1, 6, 6]], attributes, 19),
    ];
  }),
  ['ONNX Runtime leaves out its last window', windowBeyond()],
  ['its activation is Affine', oneNode('RNN', rnn, { hidden_size: 2, activations: ['Affine'] })],
])('%s', (reason, graph) => expect(() => differentiate(graph, { wrt: 'x0' })).toThrow(reason));

test('sequences of several lengths', () => {
  const b = new GraphBuilder(emptyGraph('model', 17));
  const [x, w, r] = rnn.map((shape, i) => b.input(`x${i}`, 'float32', shape));
  const lengths = b.constant([3, 2], 'int32');
  b.output(b.op('RNN', [x, w, r, undefined, lengths], { hidden_size: 2 }), 'y');
  expect(() => differentiate(b.graph, { wrt: 'x0' })).toThrow('its sequences may differ in length');
});

/** The inputs after x. */
type Rest = (b: GraphBuilder) => (Value | undefined)[];

const regions: Rest = (b) => [b.input('rois', 'float32', [1, 4]), b.ints([0])];
const point: Rest = (b) => [b.constant([1, 1, 1, 3], 'float32', [1, 4]), b.ints([0])];
const training: Rest = (b) => [b.constant(0.5), b.constant(1, 'bool', [])];
const mayTrain: Rest = (b) => [undefined, b.input('train', 'bool', [])];
const crop: Rest = (b) => [b.constant([0, 0, 0.2, 0.2, 1, 1, 0.8, 0.8]), b.constant([1, 1, 2, 2])];

test.each<[reason: string, operator: string, shape: number[], rest: Rest, attributes: Attributes]>([
  ['depends on regions that are computed', 'RoiAlign', [1, 1, 4, 4], regions, {}],
  ['one of its regions has no extent', 'RoiAlign', [1, 1, 4, 4], point, {}],
  ['training mode draws at random', 'Dropout', [4], training, {}],
  ['its input 2 is not a constant', 'Dropout', [4], mayTrain, {}],
  [
    'it crops to a region of interest',
    'Resize',
    [1, 1, 4, 4],
    crop,
    { coordinate_transformation_mode: 'tf_crop_and_resize' },
  ],
])('%s: %s', (reason, operator, shape, rest, attributes) => {
  const b = new GraphBuilder(emptyGraph('model', 17));
  const x = b.input('x', 'float32', shape);
  b.output(b.op(operator, [x, ...rest(b)], attributes), 'y');
  expect(() => differentiate(b.graph, { wrt: 'x' })).toThrow(reason);
});

test('a float input that there is no rule for', () => {
  const b = new GraphBuilder(emptyGraph('model', 17));
  const x = b.input('x', 'float32', [2]);
  const hot = { ...x, name: 'hot', shape: [3, 4] };
  b.graph.values.set(hot.name, hot);
  b.graph.nodes.push(
    create(NodeProtoSchema, {
      opType: 'OneHot',
      input: [b.ints([0, 3, 1]).name, b.ints(4).name, x.name],
      output: [hot.name],
    }),
  );
  b.output(hot, 'y');
  expect(() => differentiate(b.graph)).toThrow('no gradient rule for its input 2');
});

test('all of them at once, with what is needed to find them', () => {
  const b = new GraphBuilder(emptyGraph('model', 17));
  const x = b.input('x', 'float32', [3, 3]);
  b.scope = '/net';
  const [trace, spread] = ['ii->i', 'ii->i'].map((equation) => b.op('Einsum', [x], { equation }));
  b.output(b.op('Hardmax', [b.op('Add', [trace, spread])]), 'y');
  let thrown: unknown;
  try {
    differentiate(b.graph);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(UserError);
  expect((thrown as UserError).message).toMatchInlineSnapshot(`
    "model: cannot differentiate 1 operator
      Hardmax  opset 17  node /net/Hardmax  [3] -> [3]  (no gradient rule)"
  `);
});
