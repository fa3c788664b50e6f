/**
 * Float16 computation written as float32.
 *
 * ONNX Runtime has next to no float16 kernels on the CPU: it casts around every node instead,
 * which is slower, loses precision, and leaves a graph that can hardly be differentiated. Inputs
 * and outputs keep their type.
 */
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType,
  TypeProtoSchema,
  TypeProto_TensorSchema,
  ValueInfoProtoSchema,
  type NodeProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { amend } from './amend.ts';
import { withBodies } from './bodies.ts';
import { castNode } from './cast.ts';
import { asFloat32 } from './constants.ts';
import { dtypes } from './dtype.ts';
import type { Value } from './graph.ts';
import { initializerOf, type Initializer } from './initializer.ts';
import { inlineTensor } from './proto.ts';

interface Parts {
  readonly constants: Map<string, Initializer>;
  readonly nodes: readonly NodeProto[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly ValueInfoProto[];
}

const half = TensorProto_DataType.FLOAT16;

export function widen(parts: Parts): Parts {
  const halfInputs = parts.inputs.filter((v) => v.dtype === 'float16');
  const halfOutputs = parts.outputs.filter(
    ({ type }) => type?.value.case === 'tensorType' && type.value.value.elemType === half,
  );
  const computes =
    halfInputs.length > 0 ||
    halfOutputs.length > 0 ||
    [...parts.constants.values()].some((t) => t.dtype === 'float16') ||
    parts.nodes.some((n) => n.opType === 'Cast' && Number(n.attribute[0]?.i) === half);
  if (!computes) return parts;

  const constants = new Map(
    [...parts.constants].map(([name, t]) => [name, t.dtype === 'float16' ? asFloat32(t) : t]),
  );
  const inside = new Map(
    [...halfInputs, ...halfOutputs].map((v) => [v.name, `${v.name}/float32`] as const),
  );
  const renamed = (name: string): string => inside.get(name) ?? name;
  const nodes = parts.nodes.map((node) => wideNode(node, renamed));
  return {
    constants,
    inputs: parts.inputs,
    outputs: parts.outputs,
    nodes: [
      ...halfInputs.map((v) => castNode(v.name, renamed(v.name), 'float32')),
      ...nodes,
      ...halfOutputs.map((v) => castNode(renamed(v.name), v.name, 'float16')),
    ],
  };
}

/** A node and what its bodies hold, which read the values around them by the same names. */
function wideNode(node: NodeProto, renamed: (name: string) => string): NodeProto {
  const outside = amend(NodeProtoSchema, node, {
    input: node.input.map(renamed),
    output: node.output.map(renamed),
    attribute: node.attribute.map(wideAttribute),
  });
  return withBodies(outside, (body) => {
    const declared = (v: ValueInfoProto): ValueInfoProto => wideInfo(v, renamed(v.name));
    return amend(GraphProtoSchema, body, {
      node: body.node.map((n) => wideNode(n, renamed)),
      input: body.input.map(declared),
      output: body.output.map(declared),
      valueInfo: [],
      initializer: body.initializer.map((t) =>
        t.dataType === half ? inlineTensor(t.name, asFloat32(initializerOf(t, '.'))) : t,
      ),
    });
  });
}

function wideInfo(info: ValueInfoProto, name: string): ValueInfoProto {
  const { type } = info;
  if (type?.value.case !== 'tensorType' || type.value.value.elemType !== half)
    return amend(ValueInfoProtoSchema, info, { name });
  const value = amend(TypeProto_TensorSchema, type.value.value, {
    elemType: dtypes.float32.code,
  });
  return amend(ValueInfoProtoSchema, info, {
    name,
    type: amend(TypeProtoSchema, type, { value: { case: 'tensorType', value } }),
  });
}

type Attribute = NodeProto['attribute'][number];

/** `to` of Cast and `dtype` of generators name a type; ConstantOfShape holds a tensor of it. */
function wideAttribute(a: Attribute): Attribute {
  if ((a.name === 'to' || a.name === 'dtype') && Number(a.i) === half)
    return amend(AttributeProtoSchema, a, { i: BigInt(dtypes.float32.code) });
  if (a.name === 'value' && a.t?.dataType === half) {
    const t = inlineTensor(a.t.name, asFloat32(initializerOf(a.t, '.')));
    return amend(AttributeProtoSchema, a, { t });
  }
  return a;
}
