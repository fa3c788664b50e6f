/** Recurrent networks, step after step. */
import { floatAttr, intAttr, stringAttr, stringsAttr } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { unless, writtenAs, type Rule, type RuleTable } from '../rule.ts';

/** The state `[batch, hidden]` that steps hand on, and the cell of an LSTM beside it. */
interface State {
  readonly h: Value;
  readonly c?: Value | undefined;
}

/** What is the same in all steps of one direction. */
interface Weights {
  /** `[gates · hidden, hidden]` and `[gates · hidden]`, in ONNX's order of gates, in parts as the cell wants. */
  readonly r: readonly Value[];
  readonly bias: readonly (Value | undefined)[];
  /** Of an LSTM whose gates see its cell, `[hidden]` each: input, output, forget. */
  readonly peepholes: readonly Value[] | undefined;
  readonly f: readonly Activation[];
}

type Activation = (x: Value) => Value;

interface Cell {
  /** In how many parts the recurrent weights are used, each in a product of its own. */
  readonly products: number;
  /** Unless the node names others. */
  readonly activations: readonly string[];
  /** The state after a step; `x` is the input times its weights, `[batch, gates · hidden]`. */
  readonly step: (b: GraphBuilder, v: NodeView, w: Weights, x: Value, before: State) => State;
}

const product = (b: GraphBuilder, h: Value, r: Value | undefined, bias?: Value): Value =>
  b.op('Gemm', [h, r, bias], { transB: 1 });

const lstm: Cell = {
  products: 1,
  activations: ['Sigmoid', 'Tanh', 'Tanh'],
  step(b, _, { r: [r], bias: [bias], peepholes, f }, x, { h, c: cell }) {
    const [gate, candidate, out] = f as [Activation, Activation, Activation];
    const sum = b.add(x, product(b, h, r, bias));
    const [i, o, forget, c] = b.parts(sum, 4, 1) as [Value, Value, Value, Value];
    const seeing = (z: Value, which: number, state: Value): Value =>
      peepholes ? b.add(z, b.mul(peepholes[which] as Value, state)) : z;
    const before = cell as Value;
    const kept = b.mul(gate(seeing(forget, 2, before)), before);
    const after = b.add(kept, b.mul(gate(seeing(i, 0, before)), candidate(c)));
    return { h: b.mul(gate(seeing(o, 1, after)), out(after)), c: after };
  },
};

const gru: Cell = {
  products: 3,
  activations: ['Sigmoid', 'Tanh'],
  step(b, v, { r: [rz, rr, rh], bias: [bz, br, bh], f }, x, { h }) {
    const [gate, candidate] = f as [Activation, Activation];
    const [xz, xr, xh] = b.parts(x, 3, 1) as [Value, Value, Value];
    const resetLast = intAttr(v.node, 'linear_before_reset', 0) === 1;
    const reset = gate(b.add(xr, product(b, h, rr, br)));
    const past = resetLast
      ? b.mul(reset, product(b, h, rh, bh))
      : product(b, b.mul(reset, h), rh, bh);
    const z = gate(b.add(xz, product(b, h, rz, bz)));
    const next = candidate(b.add(xh, past));
    // (1 − z) next + z h
    return { h: b.add(next, b.mul(z, b.sub(h, next))) };
  },
};

const rnn: Cell = {
  products: 1,
  activations: ['Tanh'],
  step: (b, _, { r: [r], bias: [bias], f }, x, { h }) => ({
    h: (f[0] as Activation)(b.add(x, product(b, h, r, bias))),
  }),
};

/** Y, Y_h and Y_c of a node, all of its steps one after the other. */
function unrolled(b: GraphBuilder, v: NodeView, cell: Cell): Value[] {
  const forward = stringAttr(v.node, 'direction', 'forward') === 'forward';
  const directions = v.w.shape[0] as number;
  const runs = Array.from({ length: directions }, (_, d) =>
    oneWay(b, v, cell, d, !forward && d === directions - 1),
  );
  const joined = (values: readonly Value[], axis: number): Value =>
    values.length === 1 ? (values[0] as Value) : b.op('Concat', values, { axis });
  const last = (state: Value): Value => b.reshape(state, [1, ...state.shape]);
  const y = runs.map(({ states }) =>
    joined(
      states.map(({ h }) => b.reshape(h, [1, 1, ...h.shape])),
      0,
    ),
  );
  const ends = runs.map(({ end }) => end);
  const cells = ends.flatMap(({ c }) => (c ? [last(c)] : []));
  return [
    joined(y, 1),
    joined(
      ends.map(({ h }) => last(h)),
      0,
    ),
    ...(cells.length > 0 ? [joined(cells, 0)] : []),
  ];
}

/** The states of one direction, in the order of the input, and the one that came last. */
function oneWay(
  b: GraphBuilder,
  v: NodeView,
  cell: Cell,
  direction: number,
  backwards: boolean,
): { states: State[]; end: State } {
  const directions = v.w.shape[0] as number;
  /** What an input has for this direction, without the axis of directions. */
  const mine = (slot: number): Value | undefined => {
    const all = v.input(slot);
    return all && b.reshape(b.parts(all, directions, 0)[direction] as Value, all.shape.slice(1));
  };
  const [steps = 0, batch = 0, width = 0] = v.x.shape;
  const [w, r] = [mine(1) as Value, mine(2) as Value];
  const hidden = r.shape[1] as number;
  const [both, peepholes] = [mine(3), mine(7)];
  const [wBias, bias] = both ? b.parts(both, 2, 0) : [];
  const weights: Weights = {
    // Once, and not in every step: ONNX Runtime would hold a copy for each.
    r: b.parts(r, cell.products, 0),
    bias: bias ? b.parts(bias, cell.products, 0) : [],
    peepholes: peepholes && b.parts(peepholes, 3, 0),
    f: activationsOf(v, cell, direction).map((name) => (x) => b.op(name, [x])),
  };
  // The products with the input are one for all steps.
  const products = product(b, b.reshape(v.x, [steps * batch, width]), w, wBias);
  const xs = b.parts(products, steps, 0);
  const start = (slot: number): Value =>
    mine(slot) ?? b.zeros({ dtype: v.x.dtype, shape: [batch, hidden] });
  let state: State = { h: start(5), c: cell === lstm ? start(6) : undefined };
  const states = new Array<State>(steps);
  for (let k = 0; k < steps; k++) {
    const t = backwards ? steps - 1 - k : k;
    state = cell.step(b, v, weights, xs[t] as Value, state);
    states[t] = state;
  }
  return { states, end: state };
}

/** Those that need no numbers of their own. */
const known = ['Sigmoid', 'Tanh', 'Relu', 'Softsign', 'Softplus'];

function activationsOf({ node }: NodeView, cell: Cell, direction: number): string[] {
  const count = cell.activations.length;
  const named = stringsAttr(node, 'activations') ?? [];
  const mine =
    named.length > 0 ? named.slice(direction * count, (direction + 1) * count) : cell.activations;
  return mine.map((name) => known.find((k) => k.toLowerCase() === name.toLowerCase()) ?? name);
}

function obstacleOf(cell: Cell): NonNullable<Rule['refuse']> {
  return (v) => {
    const { node, x } = v;
    const lengths = v.constant(4);
    if (v.input(4) && !lengths?.every((n) => n === x.shape[0]))
      return 'its sequences may differ in length';
    if (floatAttr(node, 'clip', 0) !== 0) return 'it clips what its activations are given';
    if (intAttr(node, 'input_forget', 0) === 1) return 'its input and forget gates are coupled';
    // PyTorch writes a projected LSTM so; ONNX has none, and ONNX Runtime does not run it.
    const hidden = v.input(2)?.shape[2];
    const sizes = [intAttr(node, 'hidden_size'), ...[5, 6].map((i) => v.input(i)?.shape[2])];
    if (sizes.some((size) => size !== undefined && size !== hidden))
      return 'its state and what it hands on differ in size';
    const directions = [...Array(v.w.shape[0] as number).keys()];
    const strange = directions
      .flatMap((d) => activationsOf(v, cell, d))
      .find((name) => !known.includes(name));
    return strange && `its activation is ${strange}`;
  };
}

const recurrentRule = (cell: Cell, slots: readonly number[]): Rule =>
  unless(
    obstacleOf(cell),
    writtenAs(slots, (b, v) => unrolled(b, v, cell)),
  );

export const recurrent: RuleTable = {
  LSTM: recurrentRule(lstm, [0, 1, 2, 3, 5, 6, 7]),
  GRU: recurrentRule(gru, [0, 1, 2, 3, 5]),
  RNN: recurrentRule(rnn, [0, 1, 2, 3, 5]),
};
