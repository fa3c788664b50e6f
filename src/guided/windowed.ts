/**
 * The graphs of a step that is taken in stages: the network, what becomes of its ε, and the network
 * once more, backwards.
 *
 * Where the network sees one window of the image at a time, ε is blended: ε = Σ Wᵢ εᵢ. x̂₀ and the
 * losses are of the whole image. So the gradient comes in two parts: ∂L/∂x at fixed ε, and J of every
 * window, transposed, times Wᵢ ∂L/∂ε. That takes two passes over the windows, and memory for one of
 * them. With a decoder between x̂₀ and the losses, a single window serves as well: the activations of
 * network and decoder are then never there at the same time.
 */
import { copyOf } from '../autodiff/differentiate.ts';
import {
  defaultForms,
  gradients,
  stoppingAt,
  type GradientOptions,
} from '../autodiff/gradients.ts';
import type { Card } from '../card/card.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { defaultOpset, emptyGraph, type Graph, type Value } from '../onnx/graph.ts';
import { simplify } from '../simplify/simplify.ts';
import { sliceAttention } from '../simplify/sliced-attention.ts';
import {
  appendLosses,
  appendPrediction,
  levelInputs,
  opsetOfAim,
  ports,
  type Aim,
} from './guided.ts';
import { prediction } from './prediction.ts';
import { backwards, type DerivativeOptions } from './scaled.ts';

/** Names of what only these graphs take and give; the others are `ports`. */
export const windowPorts = {
  x: 'dsg.x',
  /** ∂L/∂ε, given out for the whole image and taken in for a window. */
  epsGradient: 'dsg.eps.gradient',
} as const;

/** ε of a window (and the raw variance where it is learned). */
export function windowGraph(model: Graph, card: Card, { forms }: GradientOptions = {}): Graph {
  const b = new GraphBuilder(copyOf(model));
  appendPrediction(b, card);
  if ((forms ?? defaultForms).attention === 'sliced') sliceAttention(b);
  const wanted = b.graph.outputs.filter((o) => o.name !== ports.x0);
  b.graph.outputs.splice(0, Infinity, ...wanted);
  return simplify(b.graph);
}

/** The gradient at a window's x, of `[N,C,H,W]`, of what has the given gradient at its ε. */
export function windowGradientGraph(
  model: Graph,
  card: Card,
  options: DerivativeOptions = {},
): Graph {
  const b = new GraphBuilder(copyOf(model));
  const { x, eps } = appendPrediction(b, card);
  const cotangent = b.input(windowPorts.epsGradient, 'float32', eps.shape);
  b.graph.outputs.length = 0;
  const gradient = options.scaled
    ? backwards(b, eps, cotangent, x, options)
    : (gradients(b, new Map([[eps.name, cotangent]]), [x.name], options).get(x.name) as Value);
  b.output(gradient, ports.gradient);
  return simplify(b.graph);
}

/**
 * From x and ε of a whole canvas to x̂₀; with losses, also to their sum and its gradients at x and ε.
 * @param shape `[N,C,H,W]`
 */
export function blendedGraph(
  shape: readonly number[],
  card: Card,
  aim?: Aim,
  options?: GradientOptions,
): Graph {
  const opset = aim ? opsetOfAim(aim, defaultOpset) : defaultOpset;
  const b = new GraphBuilder(emptyGraph('blended', opset));
  const x = b.input(windowPorts.x, 'float32', shape);
  const eps = b.input(ports.eps, 'float32', shape);
  const level = levelInputs(b);
  // Whatever the network predicts and on whatever range, its ε is that of x in [-1,1].
  const kind = { prediction: 'epsilon', clip: card.clip, range: '[-1,1]' } as const;
  const { x0, open } = prediction(b, eps, x, level, kind);
  b.output(x0, ports.x0);
  if (aim) {
    const { loss, cotangents, stop } = appendLosses(b, { x0, open }, aim, level.noise);
    const found = gradients(b, cotangents, [x.name, eps.name], stoppingAt(options, stop));
    b.output(loss, ports.loss);
    b.output(found.get(x.name) as Value, ports.gradient);
    b.output(found.get(eps.name) as Value, windowPorts.epsGradient);
  }
  return simplify(b.graph);
}
