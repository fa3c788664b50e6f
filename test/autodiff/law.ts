/** The law of every gradient rule: the derived graph agrees with differences of the forward graph. */
import { copyOf } from '../../src/autodiff/differentiate.ts';
import { gradients } from '../../src/autodiff/gradients.ts';
import type { Forms } from '../../src/autodiff/rule.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, valueOf, type Graph, type Value } from '../../src/onnx/graph.ts';
import { openGraph, type Session } from '../../src/session/session.ts';
import { simplify } from '../../src/simplify/simplify.ts';
import { noiseKey, uniforms } from '../../src/tensor/noise.ts';
import { showShape, sizeOf, type Tensor } from '../../src/tensor/tensor.ts';
import { dot, randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

export interface LawCase {
  /** What sets it apart from the operator's other cases. */
  name: string;
  operator: string;
  /** Uniform in low..high, -1..1 if left out; or the values given, where kinks must be avoided. */
  inputs: Record<string, { shape: number[]; low?: number; high?: number; values?: number[] }>;
  /** Inputs to differentiate with respect to; all if left out. */
  wrt?: string[];
  /** 17 if left out. */
  opset?: number;
  build(b: GraphBuilder, x: Record<string, Value>): Value;
}

export interface Comparison {
  readonly input: string;
  /** Slope along a direction by the derived graph, and by differences of the forward graph. */
  readonly derived: number;
  readonly differences: number;
  /** Their distance in units of the gradient's norm, which a slope is typically as large as. */
  readonly error: number;
}

/** Steps are exact in float32: inputs are multiples of 2^-10 and directions hold ±1. */
const grid = 2 ** 10;
const step = 2 ** -6;
const directions = 3;

/** The forms that a derived graph may take; rules must hold in each. */
export const allForms: readonly Forms[] = [
  {
    convolution: 'flipped',
    normalization: 'layer',
    recompute: 'cheap',
    normalizedSilu: 'sliced',
    attention: 'sliced',
  },
  {
    convolution: 'transposed',
    normalization: 'instance',
    recompute: 'nothing',
    normalizedSilu: 'whole',
    attention: 'kept',
  },
];

/** The case's forward graph; its output is the value that `build` returns. */
export function forwardGraph(c: LawCase): Graph {
  const b = new GraphBuilder(emptyGraph(`${c.operator}, ${c.name}`, c.opset ?? 17));
  const x = Object.fromEntries(
    Object.entries(c.inputs).map(([name, { shape }]) => [name, b.input(name, 'float32', shape)]),
  );
  b.output(c.build(b, x));
  return b.graph;
}

export const wrtOf = (c: LawCase): string[] => c.wrt ?? Object.keys(c.inputs);

/** Forward and backward in one graph, not simplified; outputs are `NAME.gradient`. */
export function derivedGraph(c: LawCase, forms: Forms): Graph {
  const graph = copyOf(forwardGraph(c));
  const [y] = graph.outputs as [Value];
  const b = new GraphBuilder(graph);
  const cotangent = b.input('cotangent', y.dtype, y.shape);
  const found = gradients(b, new Map([[y.name, cotangent]]), wrtOf(c), { forms });
  graph.outputs.splice(0);
  for (const [name, gradient] of found) b.output(gradient, `${name}.gradient`);
  return graph;
}

/** Seeded inputs and the cotangent. */
export function feedsOf(c: LawCase): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const [name, { shape, low = -1, high = 1, values }] of Object.entries(c.inputs)) {
    const drawn = uniforms(noiseKey(0, `${c.operator} ${c.name} ${name}`), 'x_T', 0, sizeOf(shape));
    const list = values ?? Array.from(drawn, (u) => low + (high - low) * u);
    feeds[name] = { shape, data: Float32Array.from(list, (v) => Math.round(v * grid) / grid) };
  }
  const y = forwardGraph(c).outputs[0] as Value;
  feeds['cotangent'] = randomTensor(`${c.operator} ${c.name}`, y.shape);
  return feeds;
}

/**
 * Types that the builder worked out against what ONNX Runtime computes, value by value. Returns
 * every value, so that the gradients of the graph as derived are among them.
 * @throws Error naming each value whose shape is another than the builder's
 */
export async function checkedRun(
  graph: Graph,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const made = new Set(graph.nodes.flatMap((node) => node.output).filter(Boolean));
  const outputs = [...made].map((name) => valueOf(graph, name));
  const results = await runGraph({ ...graph, outputs }, feeds);
  const wrong = outputs.flatMap(({ name, shape }) => {
    const actual = showShape(results[name]?.shape ?? []);
    return actual === showShape(shape) ? [] : [`${name}: ${showShape(shape)}, is ${actual}`];
  });
  if (wrong.length > 0) throw new Error(`shapes of the builder:\n${wrong.join('\n')}`);
  return results;
}

/** Slopes by both ways, along several random directions of every input. */
export async function compare(c: LawCase, forms: Forms): Promise<Comparison[]> {
  const feeds = feedsOf(c);
  const derived = derivedGraph(c, forms);
  const found = await checkedRun(derived, feeds);
  const simplified = await runGraph(simplify(derived), feeds);
  const forward = await openGraph(forwardGraph(c), { threads: 1 });
  try {
    const comparisons: Comparison[] = [];
    for (const input of wrtOf(c)) {
      const gradient = found[`${input}.gradient`] as Tensor;
      const same = relativeError(simplified[`${input}.gradient`] as Tensor, gradient);
      if (!(same < 1e-4)) throw new Error(`simplify changes the gradient of ${input} by ${same}`);
      for (let k = 0; k < directions; k++)
        comparisons.push(await alongDirection(forward, feeds, input, gradient, k));
    }
    return comparisons;
  } finally {
    await forward.release();
  }
}

async function alongDirection(
  forward: Session,
  feeds: Record<string, Tensor>,
  input: string,
  gradient: Tensor,
  k: number,
): Promise<Comparison> {
  const x = feeds[input] as Tensor;
  const coins = uniforms(noiseKey(k, input), 'step', 0, x.data.length);
  const direction = { shape: x.shape, data: Float32Array.from(coins, (u) => (u < 0.5 ? -1 : 1)) };
  const at = async (steps: number): Promise<number> => {
    const data = x.data.map((v, i) => v + steps * step * (direction.data[i] as number));
    const [y] = Object.values(await forward.run({ ...feeds, [input]: { shape: x.shape, data } }));
    return dot(feeds['cotangent'] as Tensor, y as Tensor);
  };
  // Five points: what remains of the Taylor series is of fourth order in the step.
  const near = (await at(1)) - (await at(-1));
  const far = (await at(2)) - (await at(-2));
  const differences = (8 * near - far) / (12 * step);
  const derived = dot(gradient, direction);
  const size = Math.sqrt(dot(gradient, gradient));
  const distance = Math.abs(derived - differences);
  return { input, derived, differences, error: distance === 0 ? 0 : distance / size };
}

/** The largest error that float32 and the step account for; a rule that is 1 % off is beyond it. */
export const tolerance = 3e-4;

/** What fails of a case, as lines to read; empty if nothing does. */
export async function violations(c: LawCase, forms: Forms): Promise<string[]> {
  const comparisons = await compare(c, forms);
  return comparisons
    .filter(({ error }) => !(error <= tolerance))
    .map(
      ({ input, derived, differences, error }) =>
        `d/d${input}: derived ${derived}, by differences ${differences} (${error.toExponential(1)} of the norm)`,
    );
}
