/** Sequences and functions: what unoptimised exports hold, resolved into plain tensors. */
import { create } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  FunctionProtoSchema,
  OperatorSetIdProtoSchema,
  type ModelProto,
  type NodeProto,
} from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { dtypes } from '../../src/onnx/dtype.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { encodeGraph, encodeModel } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { graphOf, node } from '../helpers/onnx.ts';
import { modelIn, sameWhenResolved, withIntegers } from '../helpers/resolved.ts';

const x: Value = { name: 'x', dtype: 'float32', shape: [2, 6, 3] };
const y = (...shape: number[]): Value => ({ name: 'y', dtype: 'float32', shape });

const split = (inputs: string[], attributes: Record<string, number>): NodeProto =>
  node('SplitToSequence', inputs, ['s'], attributes);
const at = (index: string, out = 'y'): NodeProto => node('SequenceAt', ['s', index], [out]);

describe('sequences', () => {
  const integers = { zero: 0, one: 1, last: -1, two: 2, sizes: [1, 3, 2] };
  test.each<[string, Value, NodeProto[]]>([
    ['split into sizes', y(2, 3, 3), [split(['x', 'sizes'], { axis: 1 }), at('one')]],
    ['split into equal parts', y(2, 2, 3), [split(['x', 'two'], { axis: 1 }), at('two')]],
    ['split into ones', y(2, 1, 3), [split(['x'], { axis: 1 }), at('two')]],
    ['unbound', y(2, 3), [split(['x'], { axis: 1, keepdims: 0 }), at('two')]],
    ['counted from the end', y(2, 2, 3), [split(['x', 'sizes'], { axis: 1 }), at('last')]],
    [
      'the same part twice',
      y(2, 3, 3),
      [
        split(['x', 'sizes'], { axis: 1 }),
        at('one', 'a'),
        at('one', 'b'),
        node('Mul', ['a', 'b'], ['y']),
      ],
    ],
    [
      'split and joined again',
      y(2, 6, 3),
      [
        split(['x', 'sizes'], { axis: 1 }),
        node('ConcatFromSequence', ['s'], ['y'], { axis: 1, new_axis: 0 }),
      ],
    ],
    [
      'constructed and stacked',
      y(2, 2, 6, 3),
      [
        node('Neg', ['x'], ['n']),
        node('SequenceConstruct', ['x', 'n'], ['s']),
        node('ConcatFromSequence', ['s'], ['y'], { axis: 1, new_axis: 1 }),
      ],
    ],
    [
      'grown at its end and in its middle',
      y(3, 2, 6, 3),
      [
        node('SequenceEmpty', [], ['none']),
        node('SequenceInsert', ['none', 'x'], ['a']),
        node('Neg', ['x'], ['n']),
        node('SequenceInsert', ['a', 'n'], ['b']),
        node('Identity', ['b'], ['same']),
        node('Sin', ['x'], ['sine']),
        node('SequenceInsert', ['same', 'sine', 'last'], ['s']),
        node('ConcatFromSequence', ['s'], ['y'], { axis: 0, new_axis: 1 }),
      ],
    ],
    [
      'counted',
      y(2, 6, 3),
      [
        split(['x', 'sizes'], { axis: 1 }),
        node('SequenceLength', ['s'], ['n']),
        node('Cast', ['n'], ['factor'], { to: dtypes.float32.code }),
        node('Mul', ['x', 'factor'], ['y']),
      ],
    ],
  ])('%s', async (_, out, nodes) => {
    const bytes = encodeGraph(withIntegers(graphOf(17, [x], [out], nodes), integers));
    const graph = await sameWhenResolved(bytes, x);
    expect(graph.nodes.filter((n) => n.opType.includes('Sequence'))).toEqual([]);
    expect(() => differentiate(graph, { wrt: 'x' })).not.toThrow();
  });

  test('one whose parts depend on data is named', async () => {
    const k: Value = { name: 'k', dtype: 'int64', shape: [] };
    const nodes = [split(['x', 'sizes'], { axis: 1 }), at('k')];
    const graph = withIntegers(graphOf(17, [x, k], [y(2, 3, 3)], nodes), integers);
    await expect(resolveGraph(modelIn(encodeGraph(graph)))).rejects.toThrow("'s' is not a tensor");
  });
});

describe('local functions', () => {
  const domain = 'own';
  const opsetImport = [
    create(OperatorSetIdProtoSchema, { domain: '', version: 17n }),
    create(OperatorSetIdProtoSchema, { domain, version: 1n }),
  ];
  const call = (type: string, input: string[], output: string[], attributes = {}): NodeProto =>
    Object.assign(node(type, input, output, attributes), { domain });

  /** LeakyRelu whose slope is the function's own attribute. */
  const leaky = node('LeakyRelu', ['in'], ['out']);
  leaky.attribute.push(
    create(AttributeProtoSchema, { name: 'alpha', refAttrName: 'beta', type: Kind.FLOAT }),
  );
  const functions = [
    create(FunctionProtoSchema, {
      name: 'Leaky',
      domain,
      input: ['in'],
      output: ['out'],
      attribute: ['beta'],
      node: [leaky],
      opsetImport,
    }),
    // A gated pair as `chunk` leaves it: one half times the leaky other.
    create(FunctionProtoSchema, {
      name: 'Gated',
      domain,
      input: ['in'],
      output: ['out'],
      node: [
        node('Constant', [], ['half'], { value_int: 3 }),
        node('Constant', [], ['first'], { value_int: 0 }),
        node('Constant', [], ['second'], { value_int: 1 }),
        node('SplitToSequence', ['in', 'half'], ['halves'], { axis: 1 }),
        node('SequenceAt', ['halves', 'first'], ['a']),
        node('SequenceAt', ['halves', 'second'], ['b']),
        call('Leaky', ['b'], ['gate'], { beta: 0.25 }),
        node('Mul', ['a', 'gate'], ['out']),
      ],
      opsetImport,
    }),
  ];
  const model = (nodes: NodeProto[]): ModelProto => {
    const { proto } = modelIn(encodeGraph(graphOf(17, [x], [y(2, 3, 3)], nodes)));
    return Object.assign(proto, { functions, opsetImport });
  };

  test('nested, with attributes and sequences inside, are inlined and differentiate', async () => {
    const bytes = encodeModel(model([call('Gated', ['x'], ['y'])]));
    const graph = await sameWhenResolved(bytes, x);
    expect(graph.nodes.filter((n) => n.domain === domain)).toEqual([]);
    const types = differentiate(graph, { wrt: 'x' }).outputs.map((o) => o.name);
    expect(types).toEqual(['y', 'x.gradient']);
  });

  test('one that is called but not there is refused', async () => {
    const bytes = encodeModel(model([call('Missing', ['x'], ['y'])]));
    await expect(resolveGraph(modelIn(bytes))).rejects.toThrow('Missing');
  });
});
