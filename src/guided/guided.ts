/** The graph of one sampling step: prediction, and where it is guided, loss and gradient. */
import { copyOf } from '../autodiff/differentiate.ts';
import {
  activeNodes,
  defaultForms,
  gradients,
  stoppingAt,
  type GradientOptions,
} from '../autodiff/gradients.ts';
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import { newLooks } from '../losses/looks.ts';
import { opsetFor, type Loss } from '../losses/loss.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { defaultOpset, emptyGraph, valueOf, type Graph, type Value } from '../onnx/graph.ts';
import { raiseOpset } from '../onnx/raise.ts';
import type { ImageShape, Operator } from '../operators/operator.ts';
import { simplify } from '../simplify/simplify.ts';
import { sliceAttention } from '../simplify/sliced-attention.ts';
import { decode, type Decoder } from './decoded.ts';
import { scaledGradient, type DerivativeOptions, type Seam } from './scaled.ts';
import { onUnitRange, prediction, type NoiseLevel } from './prediction.ts';

/** Names of what a step's graph takes and gives, beside the model's own x and timestep. */
export const ports = {
  /** √ᾱ and √(1−ᾱ) at this step, scalars. */
  signal: 'dsg.signal',
  noise: 'dsg.noise',
  parameter: (name: string) => `dsg.operator.${name}`,
  /** A parameter of the loss at a position in the list of losses. */
  lossParameter: (loss: number, name: string) => `dsg.loss.${loss}.${name}`,
  /** What losses alone are given. */
  image: 'dsg.image',
  eps: 'dsg.eps',
  x0: 'dsg.x0',
  variance: 'dsg.variance',
  loss: 'dsg.loss',
  gradient: 'dsg.gradient',
  reach: 'dsg.reach',
} as const;

/** Where the image lies on the network's canvas, which may be larger to be divisible. */
export interface Placement {
  readonly image: ImageShape;
  readonly top: number;
  readonly left: number;
}

/**
 * Model, Tweedie and clip: outputs ε and x̂₀ (and the raw variance where it is learned).
 * @param model resolved, with x of `[N,C,H,W]`
 */
export function stepGraph(model: Graph, card: Card, { forms }: GradientOptions = {}): Graph {
  const b = new GraphBuilder(copyOf(model));
  appendPrediction(b, card);
  if ((forms ?? defaultForms).attention === 'sliced') sliceAttention(b);
  return simplify(b.graph);
}

/** What bends the samples: losses that are prepared for their images, and the part of the canvas that they see. */
export interface Aim {
  /** Added up; at least one. */
  readonly losses: readonly Loss[];
  readonly placement: Placement;
  /** Of a latent model: makes of x̂₀ the images that losses see. */
  readonly decoder?: Decoder | undefined;
}

/** The operator set of a graph in which an aim is, or `otherwise` if that is newer. */
export function opsetOfAim({ losses, decoder }: Aim, otherwise: number): number {
  return opsetFor(losses, Math.max(otherwise, decoder?.graph.opset ?? 0));
}

/**
 * The same and, in one run, the losses of each image, added up, and their gradient at x_t.
 * Losses are per image and images do not mix, so the gradient of their sum is each image's own.
 */
export function guidedGraph(
  model: Graph,
  card: Card,
  aim: Aim,
  options: DerivativeOptions = {},
): Graph {
  const opset = opsetOfAim(aim, model.opset);
  const b = new GraphBuilder(copyOf(raiseOpset(model, opset)));
  const { x, x0, open, noise, seam } = appendPrediction(b, card);
  const { loss, cotangents, stop } = appendLosses(b, { x0, open }, aim, noise);
  const how = stoppingAt(options, stop);
  const gradient = options.scaled
    ? scaledGradient(b, cotangents, x, seam, how)
    : (gradients(b, cotangents, [x.name], how).get(x.name) as Value);
  b.output(loss, ports.loss);
  b.output(gradient, ports.gradient);
  return simplify(b.graph);
}

/**
 * Losses alone, of an x̂₀ that is given: inputs `image`, the canvas or its latent, `[N,C,H,W]`, and
 * the losses' parameters; outputs loss and gradient.
 * @param about what messages call the graph, and what the losses see; all of it if left out
 * @throws UserError if no gradient reaches the image, or an operator has no rule
 */
export function lossGraph(
  losses: readonly Loss[],
  shape: readonly number[],
  about: { readonly name?: string } & Partial<Omit<Aim, 'losses'>> = {},
  options?: GradientOptions,
): Graph {
  const [, c = 0, h = 0, w = 0] = shape;
  const { name = 'loss', placement = { image: [c, h, w], top: 0, left: 0 }, decoder } = about;
  const aim = { losses, placement, decoder };
  const b = new GraphBuilder(emptyGraph(name, opsetOfAim(aim, defaultOpset)));
  const image = b.input(ports.image, 'float32', shape);
  const { loss, cotangents } = appendLosses(b, { x0: image, open: image }, aim);
  if (activeNodes(b.graph, [loss.name], [image.name]).nodes.length === 0)
    throw new UserError(`${name}: no gradient reaches the image`, {
      hint: 'every path from it to the loss rounds, compares or chooses, or there is none',
    });
  const found = gradients(b, cotangents, [image.name], options);
  b.output(loss, ports.loss);
  b.output(found.get(image.name) as Value, ports.gradient);
  return simplify(b.graph);
}

/**
 * x̂₀ for losses, and the values that no gradient is to pass: what the clip adds is one where a
 * loss is to see through it, see `throughClip`.
 * @param open x̂₀ before the clip; x̂₀ itself where there is none
 */
export function seenByLosses(
  b: GraphBuilder,
  { x0, open }: { readonly x0: Value; readonly open: Value },
  losses: readonly Loss[],
): { x0: Value; stop: ReadonlySet<string> } {
  if (x0 === open || !losses.some((l) => l.throughClip)) return { x0, stop: new Set() };
  const clip = b.sub(x0, open);
  return { x0: b.add(open, clip), stop: new Set([clip.name]) };
}

/**
 * The losses of each image, added up, `[N]`; the cotangent of their sum; and what no gradient is to
 * pass.
 * @param prediction as `seenByLosses` takes it
 * @param noise √(1−ᾱ), where x̂₀ is a prediction
 */
export function appendLosses(
  b: GraphBuilder,
  prediction: { readonly x0: Value; readonly open: Value },
  { losses, placement, decoder }: Aim,
  noise?: Value,
): { loss: Value; cotangents: ReadonlyMap<string, Value>; stop: ReadonlySet<string> } {
  b.scope = '/dsg';
  const { x0, stop } = seenByLosses(b, prediction, losses);
  const canvas = decoder ? decode(b, decoder, x0) : x0;
  const image = crop(b, canvas, placement);
  const { top, left } = placement;
  const n = x0.shape[0] ?? 1;
  const seen = { x0, canvas, top, left, noise, looks: newLooks() };
  const terms = losses.map((loss, i) => {
    return loss.value(b, image, lossInputs(b, loss, i, n), seen);
  });
  const loss = terms.reduce((sum, term) => b.add(sum, term));
  const ones = b.constant(new Array<number>(n).fill(1));
  return { loss, cotangents: new Map([[loss.name, ones]]), stop };
}

/** The parameters of the `i`-th loss as inputs of a graph of n images. */
export function lossInputs(
  b: GraphBuilder,
  { parameters }: Loss,
  i: number,
  n: number,
): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape }]) => [
      name,
      b.input(ports.lossParameter(i, name), 'float32', [n, ...shape]),
    ]),
  );
}

/** The noise level as inputs. */
export function levelInputs(b: GraphBuilder): NoiseLevel {
  return {
    signal: b.input(ports.signal, 'float32', []),
    noise: b.input(ports.noise, 'float32', []),
  };
}

/** A(x) alone, to simulate measurements with. */
export function operatorGraph(operator: Operator, shape: ImageShape): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [1, ...shape]);
  operator.measured(shape);
  b.output(operator.A(b, x, operatorInputs(b, operator)), 'y');
  return b.graph;
}

/** The parameters of an operator as inputs of a graph of one image. */
export function operatorInputs(b: GraphBuilder, { parameters }: Operator): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, p]) => [
      name,
      b.input(ports.parameter(name), 'float32', [1, ...p.shape]),
    ]),
  );
}

/** Appends ε and x̂₀ to a model's graph; they, and the raw variance, become its outputs. */
export function appendPrediction(
  b: GraphBuilder,
  card: Card,
): { x: Value; eps: Value; x0: Value; open: Value; noise: Value; seam: Seam } {
  const { graph } = b;
  const x = valueOf(graph, card.inputs.x);
  const raw = valueOf(graph, card.output);
  graph.outputs.length = 0;
  b.scope = '/dsg';
  const level = levelInputs(b);
  const seen =
    card.range === '[0,1]' ? throughUnitRange(b, x, level) : { x: b.cast(x, 'float32'), level };
  const before = b.cast(raw, 'float32');
  // Gradients may stop here; where they do not, nothing is left of it.
  const after = b.op('Identity', [before]);
  let output = after;
  const channels = x.shape[1] ?? 0;
  if (card.learnedVariance) {
    if (output.shape[1] !== 2 * channels)
      throw new UserError(
        `${graph.name}: learned variance needs ${2 * channels} output channels, '${raw.name}' has ${output.shape[1]}`,
      );
    const [mean, variance] = b.split(output, [channels, channels], 1) as [Value, Value];
    b.output(variance, ports.variance);
    output = mean;
  }
  if (output.shape.join() !== x.shape.join())
    throw new UserError(
      `${graph.name}: output '${raw.name}' [${output.shape.join(',')}] is not of the shape of x [${x.shape.join(',')}]`,
      { hint: 'set learnedVariance in the model card if the output has twice the channels' },
    );
  const { eps, x0, open } = prediction(b, output, seen.x, seen.level, card);
  b.output(eps, ports.eps);
  b.output(x0, ports.x0);
  return { x, eps, x0, open, noise: level.noise, seam: { before, after } };
}

/** Puts the map to [0,1] between x and the network, whose nodes come after it. */
function throughUnitRange(
  b: GraphBuilder,
  x: Value,
  level: NoiseLevel,
): { x: Value; level: NoiseLevel } {
  const network = b.graph.nodes.splice(0);
  const mapped = onUnitRange(b, b.cast(x, 'float32'), level);
  const fed = b.cast(mapped.x, x.dtype);
  for (const node of network) {
    node.input = node.input.map((name) => (name === x.name ? fed.name : name));
    b.graph.nodes.push(node);
  }
  return mapped;
}

/** The part of a canvas `[N,C,H,W]` that the image takes. */
export function crop(b: GraphBuilder, x0: Value, { image, top, left }: Placement): Value {
  const [, h, w] = image;
  const [, , canvasH, canvasW] = x0.shape;
  if (h === canvasH && w === canvasW) return x0;
  const [starts, ends] = [b.ints([top, left]), b.ints([top + h, left + w])];
  return b.op('Slice', [x0, starts, ends, b.ints([2, 3])]);
}
