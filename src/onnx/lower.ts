/** Operators written as others before ONNX Runtime resolves a model. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { floatAttr, intAttr, makeAttributes, type Attributes } from './attributes.ts';
import { initializerFrom, type Initializer } from './initializer.ts';
import { dropEmptySums } from './baddbmm.ts';
import { nodeName } from './node.ts';
import { unrollSequences } from './sequences.ts';

/**
 * Sequences become tensors, and sums with nothing vanish. GroupNormalization, which ONNX Runtime would expand into dozens of
 * nodes, is written as Reshape, InstanceNormalization, Mul and Add: the form that exporters
 * write before opset 18 and that every provider has kernels for.
 */
export function lower(
  nodes: readonly NodeProto[],
  constants: Map<string, Initializer>,
  opset: number,
): NodeProto[] {
  return dropEmptySums(unrollSequences(nodes, constants, opset), constants).flatMap((node) =>
    node.opType === 'GroupNormalization' && node.domain === ''
      ? groupNormalization(node, constants, opset)
      : [node],
  );
}

function groupNormalization(
  node: NodeProto,
  constants: Map<string, Initializer>,
  opset: number,
): NodeProto[] {
  const [x = '', scale = '', bias = ''] = node.input;
  const size = constants.get(scale)?.shape[0];
  if (size === undefined) return [node];
  const groups = intAttr(node, 'num_groups', 1);
  const base = node.output[0] ?? node.name;
  const at = (part: string): string => `${base}/${part}`;
  const ints = (part: string, list: number[]): string => {
    constants.set(
      at(part),
      initializerFrom('int64', [list.length], BigInt64Array.from(list.map(BigInt))),
    );
    return at(part);
  };
  const floats = (part: string, value: number): string => {
    constants.set(
      at(part),
      initializerFrom('float32', [groups], new Float32Array(groups).fill(value)),
    );
    return at(part);
  };
  const out: NodeProto[] = [];
  const emit = (
    opType: string,
    input: string[],
    part: string,
    attributes: Attributes = {},
  ): string => {
    const output = part === '' ? base : at(part);
    out.push(
      create(NodeProtoSchema, {
        opType,
        name: `${nodeName(node)}/${opType}${part && `.${part}`}`,
        input,
        output: [output],
        attribute: makeAttributes(attributes),
      }),
    );
    return output;
  };
  // Scale is one number a group before opset 21, one a channel since; both multiply [N, size, rest].
  const perGroup = opset < 21;
  const grouped = emit('Reshape', [x, ints('groups', [0, groups, -1])], 'grouped');
  const normal = emit(
    'InstanceNormalization',
    [grouped, floats('ones', 1), floats('zeros', 0)],
    'normal',
    { epsilon: floatAttr(node, 'epsilon', 1e-5) },
  );
  const rows = perGroup
    ? normal
    : emit('Reshape', [normal, ints('channels', [0, size, -1])], 'rows');
  const column = ints('column', [size, 1]);
  const scaled = emit('Mul', [rows, emit('Reshape', [scale, column], 'scale')], 'scaled');
  const shifted = emit('Add', [scaled, emit('Reshape', [bias, column], 'bias')], 'shifted');
  emit('Reshape', [shifted, emit('Shape', [x], 'shape')], '');
  return out;
}
