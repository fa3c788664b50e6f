/** Reverse-mode differentiation: walks a graph backwards and appends its vector-Jacobian product. */
import type { NodeProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { isFloat } from '../onnx/dtype.ts';
import { reads, valueOf, type Graph, type Value } from '../onnx/graph.ts';
import { nodeName } from '../onnx/node.ts';
import { sliceAttention } from '../simplify/sliced-attention.ts';
import { sameShape } from '../tensor/tensor.ts';
import { obstacles, showObstacles } from './obstacles.ts';
import { mergeAffine } from './affine.ts';
import { composites } from './composites.ts';
import { expandNodes } from './expand.ts';
import { recompute } from './recompute.ts';
import { RuleContext, type Forms } from './rule.ts';
import { ruleFor } from './rules.ts';
import { exposeStatistics } from './statistics.ts';

export interface GradientOptions {
  readonly forms?: Forms;
  /** Values that no gradient passes: PyTorch's `detach`, which exports lose. */
  readonly stop?: ReadonlySet<string>;
}

/** The same, with more values that no gradient passes. */
export function stoppingAt(
  options: GradientOptions | undefined,
  names: Iterable<string>,
): GradientOptions {
  return { ...options, stop: new Set([...(options?.stop ?? []), ...names]) };
}

export const defaultForms: Forms = {
  convolution: 'flipped',
  normalization: 'layer',
  recompute: 'cheap',
  normalizedSilu: 'sliced',
  attention: 'sliced',
};

/**
 * For GPUs, on which a transposed convolution is the library's own input gradient and needs no second
 * copy of the weights, and whose passes over memory do not gain from slices that fit into a cache.
 */
export const gpuForms: Forms = {
  ...defaultForms,
  convolution: 'transposed',
  normalizedSilu: 'whole',
  attention: 'whole',
};

/**
 * Appends to a graph the gradient Σ ⟨cotangent, ∂output/∂wrt⟩.
 *
 * Only nodes on a path from `wrt` to an output with a cotangent are visited; weights get no
 * gradient. Contributions of a value that is used more than once are summed, and what the forward
 * pass broadcast is summed back, here and not in the rules.
 *
 * @param b builder over the graph, which must be resolved (static shapes, one operator set)
 * @param cotangents by name of the value they belong to, each of that value's shape
 * @param wrt names of the values to differentiate with respect to
 * @returns the gradient of each `wrt`, of its shape
 * @throws UserError naming every node on the path without a rule, or a `wrt` without a path
 */
export function gradients(
  b: GraphBuilder,
  cotangents: ReadonlyMap<string, Value>,
  wrt: readonly string[],
  options: GradientOptions = {},
): Map<string, Value> {
  const { forms = defaultForms } = options;
  prepareForward(b, [...cotangents.keys()], wrt, options);
  const { found, backward } = propagate(b, cotangents, wrt, options);
  if (forms.recompute !== 'nothing') recompute(b.graph, backward, forms.recompute);
  return found;
}

/** Brings a forward pass into the form that its gradient is cheapest of; to be done once. */
export function prepareForward(
  b: GraphBuilder,
  outputs: readonly string[],
  wrt: readonly string[],
  { forms = defaultForms, stop = new Set() }: GradientOptions = {},
): void {
  const active = (): Set<NodeProto> => new Set(activeNodes(b.graph, outputs, wrt, stop).nodes);
  expandNodes(b, active());
  if (forms.normalization !== 'layer') return;
  exposeStatistics(b, active());
  mergeAffine(b, pinnedBy(outputs, wrt, stop));
}

/** Where gradients begin and end; a rewrite that spans one would lead them past it. */
const pinnedBy = (...names: readonly Iterable<string>[]): Set<string> =>
  new Set(names.flatMap((list) => [...list]));

export interface Propagated {
  readonly found: Map<string, Value>;
  /** Index of the first node that was appended. */
  readonly backward: number;
}

/** `gradients` of a prepared forward pass, all of which is kept: nothing is computed again. */
export function propagate(
  b: GraphBuilder,
  cotangents: ReadonlyMap<string, Value>,
  wrt: readonly string[],
  { forms = defaultForms, stop = new Set() }: GradientOptions = {},
): Propagated {
  const { graph } = b;
  const outputs = [...cotangents.keys()];
  const path = activeNodes(graph, outputs, wrt, stop);
  const blocked = obstacles(graph, path);
  if (blocked.length > 0) throw showObstacles(graph.name, blocked);

  const joint = composites(graph, path, forms, pinnedBy(outputs, wrt, stop));
  const firstBackward = graph.nodes.length;
  const total = new Map<string, Value>();
  const contribute = (name: string, gradient: Value): void => {
    const value = valueOf(graph, name);
    const fitted = matchShape(b, gradient, value);
    const before = total.get(name);
    total.set(name, before ? b.add(before, fitted) : fitted);
  };
  const outer = b.scope;
  for (const [name, cotangent] of cotangents) contribute(name, cotangent);
  for (const node of path.nodes.toReversed()) {
    const incoming = node.output.map((name) => total.get(name));
    if (incoming.every((g) => g === undefined)) continue;
    b.scope = `${nodeName(node)}/vjp`;
    const group = joint.get(node);
    if (group?.inputs.every((name) => path.values.has(name))) {
      const found = group.gradients(b, incoming[0] as Value);
      group.inputs.forEach((name, i) => contribute(name, found[i] as Value));
      continue;
    }
    const rule = ruleFor(node.opType, graph.opset);
    const context = new RuleContext(b, node, incoming, forms);
    node.input.forEach((name, slot) => {
      const gradient = path.values.has(name) ? rule?.slot(slot) : undefined;
      if (gradient) contribute(name, gradient(context));
    });
  }
  b.scope = outer;
  const backward =
    forms.attention === 'sliced'
      ? sliceAttention(b, firstBackward, (last) => joint.has(last))
      : firstBackward;
  const found = new Map(
    wrt.map((name) => {
      const gradient = total.get(name);
      if (!gradient) throw independent(graph, outputs, name, stop);
      return [name, gradient] as const;
    }),
  );
  return { found, backward };
}

/** What to say of a value that outputs do not depend on, and on which inputs they do. */
function independent(
  graph: Graph,
  outputs: readonly string[],
  name: string,
  stop: ReadonlySet<string>,
): UserError {
  const others = graph.inputs
    .filter((v) => isFloat(v.dtype) && !outputs.includes(v.name))
    .filter((v) => activeNodes(graph, outputs, [v.name], stop).nodes.length > 0)
    .map((v) => `'${v.name}'`);
  const none = 'every path between them rounds, compares or chooses, or there is none';
  return new UserError(
    `${graph.name}: '${outputs.join("', '")}' does not depend on '${name}' through any differentiable path`,
    { hint: others.length > 0 ? `${none}; it depends on ${others.join(', ')}` : none },
  );
}

export interface Path {
  /** In the graph's order. */
  readonly nodes: readonly NodeProto[];
  /** The values that gradients pass through. */
  readonly values: ReadonlySet<string>;
}

/** The nodes and values that lie between `wrt` and `outputs`, through slots that carry gradients. */
export function activeNodes(
  graph: Graph,
  outputs: readonly string[],
  wrt: readonly string[],
  stop: ReadonlySet<string> = new Set(),
): Path {
  // What is not known to be flat counts as carrying, so that it is reported rather than passed over.
  const carries = (node: NodeProto, slot: number): boolean =>
    node.domain !== '' || ruleFor(node.opType, graph.opset)?.slot(slot) !== null;
  const floating = (name: string): boolean => {
    const value = graph.values.get(name);
    return value !== undefined && isFloat(value.dtype);
  };
  const reached = new Set(wrt);
  for (const node of graph.nodes) {
    const from = reads(node).filter((name, slot) => reached.has(name) && carries(node, slot));
    if (from.length === 0) continue;
    // Integers only where they stand for rounded numbers, and what is made of those.
    const integers = madeOfFloats(graph, node) || !from.every(floating);
    for (const name of node.output)
      if (graph.values.has(name) && !stop.has(name) && (integers || floating(name)))
        reached.add(name);
  }
  const needed = new Set(outputs);
  const nodes: NodeProto[] = [];
  for (const node of graph.nodes.toReversed()) {
    // A stopped value may be one to differentiate by: what is before it is out of reach.
    const passes = (name: string): boolean =>
      reached.has(name) && needed.has(name) && !stop.has(name);
    if (!node.output.some(passes)) continue;
    nodes.push(node);
    reads(node).forEach((name, slot) => {
      if (reached.has(name) && carries(node, slot)) needed.add(name);
    });
  }
  return {
    nodes: nodes.reverse(),
    values: new Set([...reached].filter((name) => needed.has(name))),
  };
}

function madeOfFloats(graph: Graph, node: NodeProto): boolean {
  return node.domain === '' && ruleFor(node.opType, graph.opset)?.integers === 'made';
}

/** `gradient` in the shape of `value`: summed over broadcast axes, or expanded over reduced ones. */
function matchShape(b: GraphBuilder, gradient: Value, value: Value): Value {
  if (sameShape(gradient.shape, value.shape)) return gradient;
  const lead = gradient.shape.length - value.shape.length;
  const axes = gradient.shape.flatMap((d, i) =>
    i < lead || (value.shape[i - lead] === 1 && d !== 1) ? [i] : [],
  );
  const summed = axes.length > 0 ? b.reduce('Sum', gradient, axes) : gradient;
  const shape = lead > 0 ? summed.shape.slice(lead) : summed.shape;
  return b.expand(b.reshape(summed, shape), value.shape);
}
