/** What the parts of a latent pipeline will take, before they are run. */
import { classifierFreeGraph } from '../../guided/classifier-free.ts';
import { decoderGraph } from '../../guided/decoded.ts';
import { measurementLoss } from '../../guided/measured.ts';
import { blendedGraph, windowGradientGraph, windowGraph } from '../../guided/windowed.ts';
import { flopsOf } from '../../onnx/flops.ts';
import type { Graph } from '../../onnx/graph.ts';
import { constantBytes, peakBytes } from '../../onnx/peak.ts';
import { modelInputs } from '../../onnx/skeleton.ts';
import { inpainting } from '../../operators/inpainting.ts';
import { measureSpeed } from '../../session/speed.ts';
import type { SessionOptions } from '../../session/session.ts';
import { zeros, type Tensor } from '../../tensor/tensor.ts';
import { seenShape, seenSize, type Size } from '../canvas.ts';
import { secondsOf } from '../estimate.ts';
import { graphFor, type Model } from '../model.ts';
import { decoderFor } from './autoencoder.ts';

export interface Stage {
  readonly stage: 'network' | 'decoder' | 'decoder, loss and gradient' | 'network, backwards';
  readonly flops: number;
  readonly bytes: {
    readonly weights: number;
    /** The most that values take at once. */
    readonly values: number;
  };
  readonly seconds: number;
}

export interface PipelineEstimate {
  readonly size: Size;
  /** Images a run of the network: 2 where it predicts with and without its condition. */
  readonly batch: number;
  /** A step, and the decoder once in the end. */
  readonly plain: readonly Stage[];
  /** A step in stages. */
  readonly guided: readonly Stage[];
  /** Bytes of weights and values, stages running one after the other. */
  readonly memory: { readonly plain: number; readonly guided: number };
}

/** By shapes and the speed of two small runs; a network of prompts with classifier-free guidance. */
export async function estimatePipeline(
  model: Model,
  size: Size,
  options: SessionOptions = {},
): Promise<PipelineEstimate> {
  const { card } = model;
  const batch = card.text ? 2 : 1;
  const resolved = await graphFor(model, batch, size, told(model));
  const network = card.text ? classifierFreeGraph(resolved, card) : { graph: resolved, card };
  const decoder = await decoderFor(model, 1, seenSize(model, size));
  const image = [3, size.height, size.width] as const;
  const operator = inpainting({ mask: zeros([1, size.height, size.width]) });
  const aim = {
    losses: [measurementLoss(operator, zeros(image))],
    placement: { image, top: 0, left: 0 },
    decoder,
  };
  const speed = await measureSpeed(options);
  const stage = (name: Stage['stage'], graph: Graph): Stage => ({
    stage: name,
    flops: flopsOf(graph),
    // Once as they are, once packed for the kernels.
    bytes: { weights: 2 * constantBytes(graph), values: peakBytes(graph) },
    seconds: secondsOf(graph, speed),
  });
  const forward = stage('network', windowGraph(network.graph, network.card));
  const plain = [forward, stage('decoder', decoderGraph(decoder))];
  const guided = [
    forward,
    stage('decoder, loss and gradient', blendedGraph([1, ...seenShape(model, size)], card, aim)),
    stage('network, backwards', windowGradientGraph(network.graph, network.card)),
  ];
  return {
    size,
    batch,
    plain,
    guided,
    memory: { plain: memoryOf(plain), guided: memoryOf(guided) },
  };
}

function memoryOf(stages: readonly Stage[]): number {
  const weights = stages.reduce((n, { bytes }) => n + bytes.weights, 0);
  return weights + Math.max(...stages.map(({ bytes }) => bytes.values));
}

/** An embedded prompt of CLIP's length, as far as the file leaves it open. */
function told({ onnx, card }: Model): Record<string, Tensor> {
  const input = modelInputs(onnx).find((i) => i.name === card.text?.input);
  if (!input) return {};
  const [, tokens, features] = input.shape;
  const number = (d: number | string | undefined, otherwise: number): number =>
    typeof d === 'number' ? d : otherwise;
  return { [input.name]: zeros([number(tokens, 77), number(features, 768)]) };
}
