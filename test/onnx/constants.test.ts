/** Constants behind Constant nodes, aliases and casts. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type AttributeProtoSchema,
  AttributeProto_AttributeType as Kind,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  type NodeProto,
} from 'onnx-buf';
import { Float16Array } from '@petamoriken/float16';
import { expect, test } from 'vitest';
import { collectConstants } from '../../src/onnx/constants.ts';
import { dtypes } from '../../src/onnx/dtype.ts';
import { initializerFrom, numbers } from '../../src/onnx/initializer.ts';
import { inlineTensor } from '../../src/onnx/proto.ts';
import { node } from '../helpers/onnx.ts';

function constantNode(
  name: string,
  attribute: MessageInitShape<typeof AttributeProtoSchema>,
): NodeProto {
  return create(NodeProtoSchema, {
    opType: 'Constant',
    output: [name],
    attribute: [attribute],
  });
}

test('every kind of constant is folded, and nothing else', () => {
  const half = initializerFrom('float16', [2], Float16Array.of(0.5, -2));
  const to = (dtype: keyof typeof dtypes) => ({ to: dtypes[dtype].code });
  const graph = create(GraphProtoSchema, {
    initializer: [inlineTensor('half', half)],
    node: [
      constantNode('tensor', { name: 'value', type: Kind.TENSOR, t: inlineTensor('', half) }),
      constantNode('float', { name: 'value_float', type: Kind.FLOAT, f: 1.5 }),
      constantNode('floats', { name: 'value_floats', type: Kind.FLOATS, floats: [1, 2] }),
      constantNode('int', { name: 'value_int', type: Kind.INT, i: 3n }),
      constantNode('ints', { name: 'value_ints', type: Kind.INTS, ints: [3n, 4n] }),
      constantNode('string', { name: 'value_string', type: Kind.STRING, s: new Uint8Array(1) }),
      node('Identity', ['half'], ['alias']),
      node('Identity', ['alias'], ['aliasOfAlias']),
      node('Cast', ['alias'], ['wide'], to('float32')),
      node('Cast', ['half'], ['same'], to('float16')),
      node('Cast', ['half'], ['integers'], to('int64')),
      node('Identity', ['x'], ['computed']),
      node('Identity', ['half'], ['y']),
    ],
    output: [{ name: 'y' }],
  });
  const model = { proto: create(ModelProtoSchema, {}), folder: '.', where: 'model' };
  const { constants, nodes } = collectConstants(model, graph);
  const found = [...constants].map(([name, t]) => [name, t.dtype, t.shape, numbers(t)]);
  expect(found).toEqual([
    ['half', 'float16', [2], [0.5, -2]],
    ['tensor', 'float16', [2], [0.5, -2]],
    ['float', 'float32', [], [1.5]],
    ['floats', 'float32', [2], [1, 2]],
    ['int', 'int64', [], [3]],
    ['ints', 'int64', [2], [3, 4]],
    ['alias', 'float16', [2], [0.5, -2]],
    ['aliasOfAlias', 'float16', [2], [0.5, -2]],
    ['wide', 'float32', [2], [0.5, -2]],
    ['same', 'float16', [2], [0.5, -2]],
  ]);
  // What makes an output stays, so that the output keeps its name.
  expect(nodes.map((n) => n.output[0])).toEqual(['string', 'integers', 'computed', 'y']);
});
