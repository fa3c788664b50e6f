/**
 * Gradients through a network that computes in float16, whose numbers reach from 6e-8 to 65504.
 *
 * The gradient at the network's output shrinks with the number of pixels and grows with the noise, by
 * six orders of magnitude between steps. A vector-Jacobian product is linear in it: so it goes in with
 * a root-mean-square of 1, whatever the loss and the step, and what comes out is scaled back.
 */
import type { NodeProto } from 'onnx-buf';
import {
  activeNodes,
  defaultForms,
  gradients,
  prepareForward,
  propagate,
  stoppingAt,
  type GradientOptions,
} from '../autodiff/gradients.ts';
import { recompute } from '../autodiff/recompute.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { sizeOf } from '../tensor/tensor.ts';

export interface DerivativeOptions extends GradientOptions {
  /** Scale what goes backwards through the network; see above. */
  readonly scaled?: boolean;
}

/** The network's output, and the same where what follows begins to use it. */
export interface Seam {
  readonly before: Value;
  readonly after: Value;
}

/** The gradient at `x` of what has the given cotangents, the part through the network scaled. */
export function scaledGradient(
  b: GraphBuilder,
  cotangents: ReadonlyMap<string, Value>,
  x: Value,
  { before, after }: Seam,
  options: GradientOptions = {},
): Value {
  const { graph } = b;
  const { forms = defaultForms } = options;
  const apart = stoppingAt(options, [before.name]);
  const outputs = [...cotangents.keys()];
  prepareForward(b, outputs, [x.name, after.name], apart);
  prepareForward(b, [before.name], [x.name], options);
  const direct = activeNodes(graph, outputs, [x.name], apart.stop).values.has(x.name);
  const wrt = direct ? [x.name, after.name] : [after.name];
  const outside = propagate(b, cotangents, wrt, apart);
  const { unit, scale } = toUnit(b, outside.found.get(after.name) as Value);
  const first = graph.nodes[outside.backward];
  const inside = propagate(b, new Map([[before.name, unit]]), [x.name], options);
  const back = scaledBack(b, inside.found.get(x.name) as Value, scale);
  const whole = direct ? b.add(b.cast(outside.found.get(x.name) as Value, 'float32'), back) : back;
  // Once for both parts: each by itself would compute the network again.
  const backward = graph.nodes.indexOf(first as NodeProto);
  if (forms.recompute !== 'nothing') recompute(graph, backward, forms.recompute);
  return whole;
}

/** The gradient at `x` of what has the gradient `g` at `from`, which is scaled on its way. */
export function backwards(
  b: GraphBuilder,
  from: Value,
  g: Value,
  x: Value,
  options: GradientOptions = {},
): Value {
  const { unit, scale } = toUnit(b, g);
  const found = gradients(b, new Map([[from.name, unit]]), [x.name], options);
  return scaledBack(b, found.get(x.name) as Value, scale);
}

function scaledBack(b: GraphBuilder, g: Value, scale: Value): Value {
  b.scope = '/dsg/scaled';
  return b.mul(b.cast(g, 'float32'), scale);
}

/** A gradient `[N,...]` with a root-mean-square of 1 in each image, and what it was before. */
function toUnit(b: GraphBuilder, g: Value): { unit: Value; scale: Value } {
  b.scope = '/dsg/scaled';
  const [n = 1, ...rest] = g.shape;
  const norm = b.reduce('L2', b.reshape(g, [n, sizeOf(rest)]), [1]);
  const size = b.reshape(b.scale(norm, 1 / Math.sqrt(sizeOf(rest))), [n, ...rest.map(() => 1)]);
  // Where there is no gradient there is nothing to scale.
  const scale = b.op('Max', [size, b.scalar(1e-30, size)]);
  return { unit: b.div(g, scale), scale };
}
