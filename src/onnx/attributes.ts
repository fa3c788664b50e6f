/** Reading and making node attributes. */
import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as Kind,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
} from 'onnx-buf';

export type AttributeValue = number | string | readonly number[] | readonly string[] | GraphProto;
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** In ai.onnx an attribute's name settles its type; these are the float ones, the rest are integers. */
const floatNames = new Set([
  'alpha',
  'beta',
  'bias',
  'clip',
  'cubic_coeff_a',
  'epsilon',
  'extrapolation_value',
  'gamma',
  'lambd',
  'momentum',
  'ratio',
  'scale',
  'softcap',
  'spatial_scale',
]);

function find(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((a) => a.name === name);
}

export function hasAttr(node: NodeProto, name: string): boolean {
  return find(node, name) !== undefined;
}

export function intAttr(node: NodeProto, name: string): number | undefined;
export function intAttr(node: NodeProto, name: string, otherwise: number): number;
export function intAttr(node: NodeProto, name: string, otherwise?: number): number | undefined {
  const found = find(node, name);
  return found ? Number(found.i) : otherwise;
}

export function intsAttr(node: NodeProto, name: string): readonly number[] | undefined {
  return find(node, name)?.ints.map(Number);
}

export function floatAttr(node: NodeProto, name: string, otherwise: number): number {
  return find(node, name)?.f ?? otherwise;
}

export function floatsAttr(node: NodeProto, name: string): readonly number[] | undefined {
  return find(node, name)?.floats;
}

export function stringAttr(node: NodeProto, name: string, otherwise: string): string {
  const found = find(node, name);
  return found ? new TextDecoder().decode(found.s) : otherwise;
}

export function stringsAttr(node: NodeProto, name: string): readonly string[] | undefined {
  return find(node, name)?.strings.map((s) => new TextDecoder().decode(s));
}

/** Attribute messages of plain values; integers or floats by name, undefined ones are left out. */
export function makeAttributes(values: Attributes): AttributeProto[] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [makeAttribute(name, value)],
  );
}

function makeAttribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'string')
    return create(AttributeProtoSchema, {
      name,
      type: Kind.STRING,
      s: new TextEncoder().encode(value),
    });
  if (typeof value === 'number')
    return floatNames.has(name)
      ? create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: value })
      : create(AttributeProtoSchema, { name, type: Kind.INT, i: BigInt(value) });
  if ('$typeName' in value)
    return create(AttributeProtoSchema, { name, type: Kind.GRAPH, g: value });
  return isStrings(value)
    ? create(AttributeProtoSchema, {
        name,
        type: Kind.STRINGS,
        strings: value.map((s) => new TextEncoder().encode(s)),
      })
    : create(AttributeProtoSchema, { name, type: Kind.INTS, ints: value.map(BigInt) });
}

const isStrings = (list: readonly number[] | readonly string[]): list is readonly string[] =>
  typeof list[0] === 'string';

/** The attributes of `node` as plain values, to be changed and given to another node. */
export function plainAttributes(node: NodeProto): Record<string, AttributeValue> {
  const out: Record<string, AttributeValue> = {};
  for (const a of node.attribute) {
    if (a.type === Kind.FLOAT) out[a.name] = a.f;
    else if (a.type === Kind.INT) out[a.name] = Number(a.i);
    else if (a.type === Kind.INTS) out[a.name] = a.ints.map(Number);
    else if (a.type === Kind.STRINGS) out[a.name] = stringsAttr(node, a.name) ?? [];
    else if (a.type === Kind.STRING) out[a.name] = new TextDecoder().decode(a.s);
  }
  return out;
}
