/** Loops whose number of rounds is a constant, written out: what comes out of a Loop has no shape else, nor a gradient. */
import type { GraphProto, ModelProto, NodeProto, TensorProto } from 'onnx-buf';
import { initializerFrom, initializerOf, numbers } from './initializer.ts';
import { nodeName } from './node.ts';
import { bodyOf, inRounds, type Repeated } from './rounds.ts';

/**
 * The model with such loops of its main graph written out; those within them take another call, after
 * ONNX Runtime has folded what their rounds now are. `model` itself if there are none.
 */
export function unrollLoops(model: ModelProto): ModelProto {
  const constants = new Map(model.graph?.initializer.map((t) => [t.name, t]));
  return inRounds(model, 'Loop', (loop) => looped(loop, constants));
}

type Constants = ReadonlyMap<string, TensorProto>;

function numberOf(name: string, constants: Constants): number | undefined {
  const constant = constants.get(name);
  return constant && numbers(initializerOf(constant, '.'))[0];
}

/** What a loop repeats; undefined where it may end before, or how often it runs is not a constant. */
function looped(node: NodeProto, constants: Constants): Repeated | undefined {
  const [count = '', on = '', ...starts] = node.input;
  const body = bodyOf(node);
  const rounds = numberOf(count, constants);
  if (!body || rounds === undefined) return undefined;
  if (on !== '' && numberOf(on, constants) !== 1) return undefined;
  const inner = new Map([...constants, ...body.initializer.map((t) => [t.name, t] as const)]);
  const [goingOn, ...results] = body.output.map((o) => o.name);
  if (!goesOn(goingOn ?? '', body, inner)) return undefined;
  const [counter = '', condition = '', ...names] = body.input.map((i) => i.name);
  const always = `${nodeName(node)}/condition`;
  return {
    node,
    body,
    rounds: Math.max(rounds, 0),
    carried: names.map((name, i) => ({ name, start: starts[i] ?? '' })),
    results,
    prepare: (out) => out.constant(always, initializerFrom('bool', [], Uint8Array.of(1))),
    given: (out, round, at) => [
      [counter, out.ints(`${at}/round`, [round], [])],
      [condition, always],
    ],
  };
}

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
