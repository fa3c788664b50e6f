/** The loss of denoising: how far a prediction is from what it should be, in the mean square. */
import { copyOf } from '../autodiff/differentiate.ts';
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { valueOf, type Graph, type Value } from '../onnx/graph.ts';
import { showShape } from '../tensor/tensor.ts';
import { before } from './step.ts';

/** Names of what the loss takes, beside the network's timestep and class. */
export const inputs = {
  /** Clean images in [-1,1] and the noise on them, `[N,C,H,W]`. */
  x0: 'x0',
  noise: 'noise',
  /** √ᾱ and √(1−ᾱ) of each image, `[N]`. */
  signal: 'signal',
  level: 'level',
} as const;

/**
 * The loss of each image `[N]` as the only output: the mean over its elements of (network(x_t) −
 * target)², x_t = √ᾱ x₀ + √(1−ᾱ) ε (Ho et al. 2020, equation 14). The target is what the card says
 * that the network predicts: ε, x₀ or v = √ᾱ ε − √(1−ᾱ) x₀. A learned variance is left alone.
 * @param model resolved, with x of `[N,C,H,W]`
 * @throws UserError for an output that is not of the shape of x
 */
export function denoisingLoss(
  model: Graph,
  card: Pick<Card, 'inputs' | 'output' | 'prediction' | 'range' | 'learnedVariance'>,
): Graph {
  const b = new GraphBuilder(copyOf(model));
  const { graph } = b;
  const x = valueOf(graph, card.inputs.x);
  const raw = valueOf(graph, card.output);
  const [n = 1, channels = 1] = x.shape;
  const from = graph.inputs.indexOf(x);
  graph.inputs.splice(from, 1);
  graph.values.delete(x.name);
  graph.outputs.length = 0;
  const given = b.input(inputs.x0, 'float32', x.shape);
  const noise = b.input(inputs.noise, 'float32', x.shape);
  const column = (name: string): Value => b.input(name, 'float32', [n]);
  const levels = [column(inputs.signal), column(inputs.level)];
  let target = noise;
  before(b, () => {
    b.scope = '/noised';
    const [signal, level] = levels.map((v) => b.reshape(v, [n, 1, 1, 1])) as [Value, Value];
    const x0 = card.range === '[0,1]' ? b.scale(b.add(given, b.scalar(1, given)), 0.5) : given;
    const noised = b.add(b.mul(signal, x0), b.mul(level, noise));
    if (card.prediction === 'x0') target = x0;
    if (card.prediction === 'v') target = b.sub(b.mul(signal, noise), b.mul(level, x0));
    b.rename(b.cast(noised, x.dtype), x.name);
  });
  b.scope = '/loss';
  const output = b.cast(raw, 'float32');
  const mean = card.learnedVariance
    ? (b.split(output, [channels, channels], 1)[0] as Value)
    : output;
  if (mean.shape.join() !== x.shape.join())
    throw new UserError(
      `${graph.name}: output '${raw.name}' ${showShape(raw.shape)} is not of the shape of x ${showShape(x.shape)}`,
      { hint: 'set learnedVariance in the model card if the output has twice the channels' },
    );
  const error = b.sub(mean, target);
  b.output(b.reduce('Mean', b.mul(error, error), [1, 2, 3], false));
  return graph;
}
