/** A decoder as part of a graph: from latents as networks know them to images. */
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { emptyGraph, type Graph, type Value } from '../onnx/graph.ts';
import { inline } from '../onnx/inline.ts';
import { showShape } from '../tensor/tensor.ts';

/** Names of what the autoencoder's own graphs take and give. */
export const autoencoderPorts = { latent: 'dsg.latent', image: 'dsg.image' } as const;

type Latent = NonNullable<Card['latent']>;

export interface Decoder {
  /** Resolved for latents of one shape. */
  readonly graph: Graph;
  readonly latent: Latent;
}

/**
 * Appends D(z/s).
 * @param z `[N,C,h,w]`, as the decoder was resolved for
 * @returns `[N,3,H,W]`, not clipped
 */
export function decode(b: GraphBuilder, { graph, latent }: Decoder, z: Value): Value {
  const [input] = graph.inputs;
  const taken = b.cast(b.scale(z, 1 / latent.scaling), input?.dtype ?? 'float32');
  return outputOf(b, graph, inline(b, graph, { [input?.name ?? '']: taken }, '/decoder'));
}

/**
 * Appends s E(x), the mean of what the encoder predicts: some exports give mean and log-variance,
 * others a latent.
 * @param encoder resolved for images of x's shape
 * @param channels of a latent
 * @returns `[N,channels,h,w]`
 */
export function encode(
  b: GraphBuilder,
  encoder: Graph,
  x: Value,
  { latent: { scaling }, channels }: { readonly latent: Latent; readonly channels: number },
): Value {
  const [input] = encoder.inputs;
  const taken = b.cast(x, input?.dtype ?? 'float32');
  const found = inline(b, encoder, { [input?.name ?? '']: taken }, '/encoder');
  const moments = outputOf(b, encoder, found);
  if (moments.shape[1] !== channels && moments.shape[1] !== 2 * channels)
    throw new UserError(
      `${encoder.name}: gives ${showShape(moments.shape)}, expected ${channels} channels of a latent, or ${2 * channels} of its mean and variance`,
    );
  const mean =
    moments.shape[1] === channels ? moments : b.split(moments, [channels, channels], 1)[0];
  return b.scale(mean as Value, scaling);
}

/** The decoder alone, on scaled latents. */
export function decoderGraph(decoder: Decoder): Graph {
  const { name, opset, inputs } = decoder.graph;
  const b = new GraphBuilder(emptyGraph(name, opset));
  const z = b.input(autoencoderPorts.latent, 'float32', inputs[0]?.shape ?? []);
  b.output(decode(b, decoder, z), autoencoderPorts.image);
  return b.graph;
}

/** The encoder alone, to scaled latents. */
export function encoderGraph(
  encoder: Graph,
  about: { readonly latent: Latent; readonly channels: number },
): Graph {
  const b = new GraphBuilder(emptyGraph(encoder.name, encoder.opset));
  const x = b.input(autoencoderPorts.image, 'float32', encoder.inputs[0]?.shape ?? []);
  b.output(encode(b, encoder, x, about), autoencoderPorts.latent);
  return b.graph;
}

/** In float32, whatever the network's type. */
function outputOf(b: GraphBuilder, { outputs }: Graph, found: ReadonlyMap<string, Value>): Value {
  return b.cast(found.get(outputs[0]?.name ?? '') as Value, 'float32');
}
