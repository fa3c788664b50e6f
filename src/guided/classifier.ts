/** Classifier guidance as graphs: the negative log-likelihood of a class, and its gradient. */
import { gradients, type GradientOptions } from '../autodiff/gradients.ts';
import type { Loss } from '../losses/loss.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { defaultOpset, emptyGraph, type Graph, type Value } from '../onnx/graph.ts';
import { inline } from '../onnx/inline.ts';
import { simplify } from '../simplify/simplify.ts';
import { tensor } from '../tensor/tensor.ts';
import { crop, type Placement } from './guided.ts';

/** A classifier at the size of a batch, and what it makes of an image first. */
export interface ClassifierNetwork {
  /** Resolved, with images of `[N,C,H,W]`. */
  readonly graph: Graph;
  /** Differs between classifiers that are not the same. */
  readonly digest: string;
  readonly inputs: { readonly image: string; readonly timestep: string | undefined };
  /** The output that is the logits, `[N,K]`. */
  readonly logits: string;
  /** The image as it wants it, of the image in [-1,1]: gain v + offset, by channel. */
  readonly gain: readonly number[];
  readonly offset: readonly number[];
}

/** Names of what the gradient's graph takes and gives, beside the classifier's timestep. */
export const classifierPorts = {
  x: 'dsg.x',
  label: 'dsg.class',
  loss: 'dsg.loss',
  gradient: 'dsg.gradient',
} as const;

/** −log p(c|x̂₀) of each image, as a loss: its gradient at x_t goes through the denoising network. */
export function classLoss(network: ClassifierNetwork, label: number): Loss {
  const { digest, inputs, logits, gain, offset } = network;
  return {
    signature: `class${JSON.stringify([digest, inputs, logits, gain, offset])}`,
    opset: network.graph.opset,
    parameters: { label: tensor([], Float32Array.of(label)) },
    value: (b, image, { label: given }) => negativeLogLikelihood(b, network, image, given as Value),
  };
}

/**
 * −log p(c|x_t) of each image `[N]`, by a classifier that knows noisy images, and its gradient at x_t.
 * @param shape of x_t, `[N,C,H,W]`; the part that the image takes is classified
 */
export function noisyClassGraph(
  network: ClassifierNetwork,
  shape: readonly number[],
  placement: Placement,
  options?: GradientOptions,
): Graph {
  const { name, opset } = network.graph;
  const b = new GraphBuilder(emptyGraph(name, Math.max(opset, defaultOpset)));
  const [n = 1] = shape;
  const x = b.input(classifierPorts.x, 'float32', shape);
  const label = b.input(classifierPorts.label, 'float32', [n]);
  const image = crop(b, x, placement);
  const loss = negativeLogLikelihood(b, network, image, label);
  const ones = b.constant(new Array<number>(n).fill(1));
  const found = gradients(b, new Map([[loss.name, ones]]), [x.name], options);
  b.output(loss, classifierPorts.loss);
  b.output(found.get(x.name) as Value, classifierPorts.gradient);
  return simplify(b.graph);
}

/**
 * @param image `[N,C,H,W]` in [-1,1], or x_t of such an image
 * @param label class of each image, `[N]`
 * @returns `[N]`
 */
function negativeLogLikelihood(
  b: GraphBuilder,
  { graph, inputs, logits: output, gain, offset }: ClassifierNetwork,
  image: Value,
  label: Value,
): Value {
  const channel = [1, gain.length, 1, 1];
  const scaled = b.mul(image, b.constant(gain, 'float32', channel));
  const seen = b.add(scaled, b.constant(offset, 'float32', channel));
  const taken = Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }) => {
      return [name, name === inputs.image ? b.cast(seen, dtype) : b.input(name, dtype, shape)];
    }),
  );
  const logits = b.cast(inline(b, graph, taken, '/classifier').get(output) as Value, 'float32');
  const [n = 1, classes = 1] = logits.shape;
  const all = b.constant(
    Array.from({ length: classes }, (_, k) => k),
    'float32',
    [1, classes],
  );
  const chosen = b.cast(b.op('Equal', [all, b.reshape(label, [n, 1])]), 'float32');
  const log = b.op('LogSoftmax', [logits], { axis: 1 });
  return b.neg(b.reduce('Sum', b.mul(log, chosen), [1], false));
}
