/** Loops whose number of rounds is a constant, written out: what comes out of a Loop has no shape else, nor a gradient. */
import {
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProtoSchema,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from 'onnx-buf';
import { amend } from './amend.ts';
import { eachNode } from './bodies.ts';
import { renameNode } from './inline.ts';
import { initializerFrom, initializerOf, numbers } from './initializer.ts';
import { makeNode, nodeName } from './node.ts';
import { inlineTensor } from './proto.ts';
import { opsetOf } from './read.ts';

/** Loops that would come to more nodes than this stay loops. */
const mostNodes = 20_000;

/**
 * The model with such loops of its main graph written out; those within them take another call, after
 * ONNX Runtime has folded what their rounds now are. `model` itself if there are none.
 */
export function unrollLoops(model: ModelProto): ModelProto {
  const { graph } = model;
  if (!graph?.node.some((n) => n.opType === 'Loop' && n.domain === '')) return model;
  const constants = new Map(graph.initializer.map((t) => [t.name, t]));
  const added: TensorProto[] = [];
  let changed = false;
  const node = graph.node.flatMap((n) => {
    const rounds = n.opType === 'Loop' && n.domain === '' ? roundsOf(n, constants) : undefined;
    const written = rounds === undefined ? undefined : writtenOut(n, rounds, opsetOf(model) ?? 0);
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

type Constants = ReadonlyMap<string, TensorProto>;

function numberOf(name: string, constants: Constants): number | undefined {
  const constant = constants.get(name);
  return constant && numbers(initializerOf(constant, '.'))[0];
}

/** How often the loop runs; undefined where it may end before, or that is not a constant. */
function roundsOf(loop: NodeProto, constants: Constants): number | undefined {
  const [count = '', condition = ''] = loop.input;
  const body = bodyOf(loop);
  const rounds = numberOf(count, constants);
  if (!body || rounds === undefined) return undefined;
  if (condition !== '' && numberOf(condition, constants) !== 1) return undefined;
  const inner = new Map([...constants, ...body.initializer.map((t) => [t.name, t] as const)]);
  return goesOn(body.output[0]?.name ?? '', body, inner) ? Math.max(rounds, 0) : undefined;
}

const bodyOf = (loop: NodeProto): GraphProto | undefined =>
  loop.attribute.find((a) => a.name === 'body')?.g;

/** Whether a condition of the body is always true, given that it was before. */
function goesOn(name: string, body: GraphProto, constants: Constants): boolean {
  if (name === body.input[1]?.name || numberOf(name, constants) === 1) return true;
  const maker = body.node.find((n) => n.output.includes(name));
  if (maker?.opType === 'Constant') {
    const [value] = maker.attribute;
    return value?.t ? numbers(initializerOf(value.t, '.'))[0] === 1 : false;
  }
  const passes = maker?.opType === 'Identity' || maker?.opType === 'Cast';
  return passes && goesOn(maker.input[0] ?? '', body, constants);
}

interface Written {
  readonly nodes: NodeProto[];
  readonly constants: TensorProto[];
}

/** The rounds one after the other, or undefined where that is too much. */
function writtenOut(loop: NodeProto, rounds: number, opset: number): Written | undefined {
  const body = bodyOf(loop);
  if (!body || rounds * body.node.length > mostNodes) return undefined;
  const carriedCount = body.input.length - 2;
  const stacks = loop.output.slice(carriedCount).map((): string[] => []);
  // What no round ran for has no type here, and before opset 13 axes are attributes.
  if (stacks.length > 0 && (rounds === 0 || opset < 13)) return undefined;
  const scope = nodeName(loop);
  const nodes: NodeProto[] = [];
  const constants: TensorProto[] = [];
  const integer = (name: string, value: number, shape: number[]): string => {
    const data = initializerFrom('int64', shape, BigInt64Array.of(BigInt(value)));
    constants.push(inlineTensor(name, data));
    return name;
  };

  const made = madeWithin(body);
  const [counter, condition, ...carriedInputs] = body.input.map((i) => i.name);
  let carried = loop.input.slice(2);
  const always = `${scope}/condition`;
  constants.push(inlineTensor(always, initializerFrom('bool', [], Uint8Array.of(1))));
  for (let round = 0; round < rounds; round++) {
    const at = `${scope}/${round}`;
    const given = new Map(carriedInputs.map((name, i) => [name, carried[i] ?? '']));
    given.set(counter ?? '', integer(`${at}/round`, round, []));
    given.set(condition ?? '', always);
    const renamed = (name: string): string =>
      given.get(name) ?? (made.has(name) ? `${at}/${name}` : name);
    for (const t of body.initializer)
      constants.push(amend(TensorProtoSchema, t, { name: renamed(t.name) }));
    nodes.push(...body.node.map((n) => renameNode(n, renamed, at)));
    const results = body.output.slice(1).map((o) => renamed(o.name));
    carried = results.slice(0, carriedCount);
    stacks.forEach((stack, i) => stack.push(results[carriedCount + i] ?? ''));
  }
  loop.output.forEach((name, i) => {
    if (name === '') return;
    const stack = stacks[i - carriedCount];
    if (!stack) {
      nodes.push(makeNode('Identity', [carried[i] ?? ''], name));
      return;
    }
    const first = integer(`${name}/axis`, 0, [1]);
    const rows = stack.map((_, k) => `${name}/${k}`);
    nodes.push(...stack.map((v, k) => makeNode('Unsqueeze', [v, first], rows[k] as string)));
    nodes.push(makeNode('Concat', rows, name, { axis: 0 }));
  });
  return { nodes, constants };
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
