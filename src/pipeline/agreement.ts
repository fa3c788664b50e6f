/** Whether a device computes what the CPU does, and where it first does not. */
import type { Graph, Value } from '../onnx/graph.ts';
import { byteLength } from '../onnx/initializer.ts';
import { isFloat } from '../onnx/dtype.ts';
import { openGraph, type SessionOptions } from '../session/session.ts';
import { dropDead } from '../simplify/simplify.ts';
import type { Tensor } from '../tensor/tensor.ts';

type Tensors = Readonly<Record<string, Tensor>>;

export interface Comparison {
  /** What the CPU runs. */
  readonly graph: Graph;
  /** The same as the device is given it: its values have the same names, perhaps other types. */
  readonly written: Graph;
  readonly feeds: Tensors;
  /** Of the device. */
  readonly session: SessionOptions;
}

/** A node whose output is another on the device, while all before it agree. */
export interface Disagreement {
  readonly operator: string;
  readonly node: string;
  readonly value: Value;
  readonly pass: 'forward' | 'backward';
  readonly error: number;
}

/** ‖device − CPU‖ / ‖CPU‖ of every output. */
export async function relativeErrors(compared: Comparison): Promise<Record<string, number>> {
  const { graph, written, feeds, session } = compared;
  const expected = await runOnce(graph, feeds, { ...session, device: 'cpu', precision: 'fp32' });
  const found = await runOnce(written, feeds, session);
  return Object.fromEntries(
    graph.outputs.map(({ name }) => {
      return [name, relativeError(found[name] as Tensor, expected[name] as Tensor)];
    }),
  );
}

/** More values than these bytes hold are looked at in several runs. */
const mostBytes = 256e6;

/**
 * Walks the graph in its order, forward and then backward, and compares every value.
 * @returns undefined if they all agree on their own: what is wrong is then how the device joins them
 */
export async function firstDisagreement(
  compared: Comparison,
  limit: number,
): Promise<Disagreement | undefined> {
  const { graph, written } = compared;
  const makers = graph.nodes.flatMap((node) =>
    node.output.flatMap((name) => {
      const value = graph.values.get(name);
      return value && isFloat(value.dtype) && written.values.has(name) ? [{ node, value }] : [];
    }),
  );
  for (const group of groups(makers, ({ value }) => byteLength(value))) {
    const errors = await relativeErrors({
      ...compared,
      graph: exposing(graph, group),
      written: exposing(written, group),
    });
    for (const { node, value } of group) {
      const error = errors[value.name] as number;
      if (error <= limit) continue;
      const pass = value.name.includes('/vjp') ? 'backward' : 'forward';
      return { operator: node.opType, node: node.name, value, pass, error };
    }
  }
  return undefined;
}

/** A graph whose outputs are these values. */
function exposing(graph: Graph, wanted: readonly { readonly value: Value }[]): Graph {
  const outputs = wanted.map(({ value }) => graph.values.get(value.name) as Value);
  return dropDead({ ...graph, outputs });
}

function* groups<T>(items: readonly T[], size: (item: T) => number): Generator<T[]> {
  let [group, total]: [T[], number] = [[], 0];
  for (const item of items) {
    if (group.length > 0 && total + size(item) > mostBytes) {
      yield group;
      [group, total] = [[], 0];
    }
    group.push(item);
    total += size(item);
  }
  if (group.length > 0) yield group;
}

async function runOnce(graph: Graph, feeds: Tensors, session: SessionOptions): Promise<Tensors> {
  const opened = await openGraph(graph, session);
  try {
    return await opened.run(feeds);
  } finally {
    await opened.release();
  }
}

/** NaN and infinities on one side only count as wholly wrong. */
function relativeError({ data: found }: Tensor, { data: expected }: Tensor): number {
  let [difference, size] = [0, 0];
  expected.forEach((v, i) => {
    const other = found[i] as number;
    if (!Number.isFinite(v) && !Number.isFinite(other)) return;
    difference += (other - v) ** 2;
    size += v * v;
  });
  if (difference === 0) return 0;
  // Values that cancel out to nothing are compared with what rounding leaves of them.
  const error = Math.sqrt(difference) / (Math.sqrt(size) + 1e-6 * Math.sqrt(expected.length));
  return Number.isNaN(error) ? Infinity : error;
}
