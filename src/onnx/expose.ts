/** Makes values of a model its outputs, whether they are outputs already or something between. */
import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, ValueInfoProtoSchema } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { amend } from './amend.ts';
import type { OnnxModel } from './read.ts';

/** How many names a message offers instead of one that is not there. */
const offered = 5;

/**
 * The model with these outputs and no others.
 * @param names of outputs, or of what any node of the graph puts out
 * @throws UserError for a name that the graph does not have, with those most like it
 */
export function exposeValues(model: OnnxModel, names: readonly string[]): OnnxModel {
  const { proto, where } = model;
  const { graph } = proto;
  if (!graph) throw new UserError(`${where}: the model has no graph`);
  const declared = new Map(graph.output.map((o) => [o.name, o]));
  const there = new Set([...declared.keys(), ...graph.node.flatMap((n) => n.output)]);
  there.delete('');
  const missing = names.find((name) => !there.has(name));
  if (missing !== undefined) {
    const near = nearest(missing, [...there]);
    throw new UserError(`${where}: no layer '${missing}'`, {
      hint: `of its ${there.size} values the nearest are: ${near.join(', ')}`,
    });
  }
  const output = [...new Set(names)].map(
    (name) => declared.get(name) ?? create(ValueInfoProtoSchema, { name }),
  );
  const amended = amend(GraphProtoSchema, graph, { output });
  return { ...model, proto: amend(ModelProtoSchema, proto, { graph: amended }) };
}

/** The names most like one, by the pairs of letters that they share (Dice's coefficient). */
export function nearest(name: string, names: readonly string[]): string[] {
  const wanted = pairs(name);
  const likeness = (other: string): number => {
    const found = pairs(other);
    const shared = [...found].filter((p) => wanted.has(p)).length;
    return (2 * shared) / Math.max(1, found.size + wanted.size);
  };
  return names
    .map((other) => ({ other, like: likeness(other) }))
    .sort((a, b) => b.like - a.like)
    .slice(0, offered)
    .map(({ other }) => other);
}

function pairs(name: string): Set<string> {
  const text = ` ${name.toLowerCase()} `;
  return new Set(Array.from({ length: text.length - 1 }, (_, i) => text.slice(i, i + 2)));
}
