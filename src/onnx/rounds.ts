/** Bodies that run a known number of times, written out: one round after the other. */
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from 'onnx-buf';
import { amend } from './amend.ts';
import type { Attributes } from './attributes.ts';
import { eachNode } from './bodies.ts';
import { renameNode } from './inline.ts';
import { initializerFrom, type Initializer } from './initializer.ts';
import { makeNode, nodeName } from './node.ts';
import { inlineTensor } from './proto.ts';
import { opsetOf } from './read.ts';

/** Bodies that would come to more nodes than this stay what is repeated. */
const mostNodes = 20_000;

/** What Loop and Scan have in common. */
export interface Repeated {
  readonly node: NodeProto;
  readonly body: GraphProto;
  readonly rounds: number;
  /** What rounds hand on: its name in the body, and what the first is given. */
  readonly carried: readonly { readonly name: string; readonly start: string }[];
  /** Outputs of the body: what is handed on, then one for every output that is a stack of them. */
  readonly results: readonly string[];
  /** Along which axis each stack is, and whether from the last round to the first; else along the first. */
  readonly stacks?: readonly { readonly axis: number; readonly backwards: boolean }[];
  /** Writes what all rounds need. */
  readonly prepare: (out: Unrolled) => void;
  /** What the body's other inputs are in a round, by their names in the body. */
  readonly given: (
    out: Unrolled,
    round: number,
    at: string,
  ) => readonly (readonly [string, string])[];
}

/** The attribute that Loop and Scan have their body in. */
export const bodyOf = (node: NodeProto): GraphProto | undefined =>
  node.attribute.find((a) => a.name === 'body')?.g;

/** What comes in the place of a node. */
export class Unrolled {
  readonly nodes: NodeProto[] = [];
  readonly constants: TensorProto[] = [];
  readonly #opset: number;

  constructor(opset: number) {
    this.#opset = opset;
  }

  constant(name: string, data: Initializer): string {
    this.constants.push(inlineTensor(name, data));
    return name;
  }

  ints(name: string, list: readonly number[], shape: readonly number[] = [list.length]): string {
    return this.constant(name, initializerFrom('int64', shape, BigInt64Array.from(list, BigInt)));
  }

  /** A node that is told a list of integers, which became an input with opset 13. */
  told(
    type: string,
    x: string,
    outputs: readonly string[],
    [name, list]: readonly [name: string, list: readonly number[]],
    attributes: Attributes = {},
  ): void {
    const [first = ''] = outputs;
    const node =
      this.#opset >= 13
        ? makeNode(type, [x, this.ints(`${first}/${name}`, list)], first, attributes)
        : makeNode(type, [x], first, { ...attributes, [name]: list });
    this.nodes.push(amend(NodeProtoSchema, node, { output: [...outputs] }));
  }
}

/**
 * The model with nodes of that type written out where it is known what they repeat. `model` itself if that is
 * nowhere.
 */
export function inRounds(
  model: ModelProto,
  type: 'Loop' | 'Scan',
  repeatedBy: (node: NodeProto) => Repeated | undefined,
): ModelProto {
  const { graph } = model;
  if (!graph) return model;
  const added: TensorProto[] = [];
  let changed = false;
  const node = graph.node.flatMap((n) => {
    const repeated = n.opType === type && n.domain === '' ? repeatedBy(n) : undefined;
    const written = repeated && writtenOut(repeated, opsetOf(model) ?? 0);
    if (!written) return [n];
    changed = true;
    added.push(...written.constants);
    return written.nodes;
  });
  if (!changed) return model;
  const initializer = [...graph.initializer, ...added];
  return amend(ModelProtoSchema, model, {
    graph: amend(GraphProtoSchema, graph, { node, initializer, valueInfo: [] }),
  });
}

/** The rounds one after the other, or undefined where that is too much. */
function writtenOut(repeated: Repeated, opset: number): Unrolled | undefined {
  const { node, body, rounds, carried, results } = repeated;
  if (rounds * Math.max(body.node.length, 1) > mostNodes) return undefined;
  const stacks = node.output.slice(carried.length).map((): string[] => []);
  // What no round ran for has no type here.
  if (stacks.length > 0 && rounds === 0) return undefined;
  const out = new Unrolled(opset);
  repeated.prepare(out);
  const made = madeWithin(body);
  let now = carried.map(({ start }) => start);
  for (let round = 0; round < rounds; round++) {
    const at = `${nodeName(node)}/${round}`;
    const given = new Map(carried.map(({ name }, i) => [name, now[i] ?? '']));
    for (const [name, value] of repeated.given(out, round, at)) given.set(name, value);
    const renamed = (name: string): string =>
      given.get(name) ?? (made.has(name) ? `${at}/${name}` : name);
    for (const t of body.initializer)
      out.constants.push(amend(TensorProtoSchema, t, { name: renamed(t.name) }));
    out.nodes.push(...body.node.map((n) => renameNode(n, renamed, at)));
    const named = results.map(renamed);
    now = named.slice(0, carried.length);
    stacks.forEach((stack, i) => stack.push(named[carried.length + i] ?? ''));
  }
  node.output.forEach((name, i) => {
    if (name === '') return;
    const stack = stacks[i - carried.length];
    if (!stack) {
      out.nodes.push(makeNode('Identity', [now[i] ?? ''], name));
      return;
    }
    const { axis, backwards } = repeated.stacks?.[i - carried.length] ?? {
      axis: 0,
      backwards: false,
    };
    const rows = stack.map((_, k) => `${name}/${k}`);
    stack.forEach((v, k) => out.told('Unsqueeze', v, [rows[k] as string], ['axes', [axis]]));
    out.nodes.push(makeNode('Concat', backwards ? rows.toReversed() : rows, name, { axis }));
  });
  return out;
}

/** Every name that a body makes, and those within it, but for its inputs. */
function madeWithin(body: GraphProto): Set<string> {
  const made = new Set(body.initializer.map((t) => t.name));
  for (const node of body.node)
    eachNode(node, (inner) => {
      for (const name of inner.output) if (name !== '') made.add(name);
      for (const { g, graphs } of inner.attribute)
        for (const b of g ? [g, ...graphs] : graphs)
          for (const v of [...b.input, ...b.initializer]) made.add(v.name);
    });
  return made;
}
