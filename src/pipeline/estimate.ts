/** What a guided step of a network will take, before it is run. */
import { guidedGraph } from '../guided/guided.ts';
import { measurementLoss } from '../guided/measured.ts';
import { bytesMoved, flopsOf } from '../onnx/flops.ts';
import type { Graph } from '../onnx/graph.ts';
import { constantBytes, peakBytes } from '../onnx/peak.ts';
import { inpainting } from '../operators/inpainting.ts';
import { measureSpeed, type Speed } from '../session/speed.ts';
import type { SessionOptions } from '../session/session.ts';
import { zeros } from '../tensor/tensor.ts';
import type { Model } from './model.ts';

export interface Estimate {
  /** Floating-point operations of the network, and of a step with its gradient. */
  readonly flops: { readonly forward: number; readonly guided: number };
  readonly bytes: {
    /** Of weights and of what the gradient derives from them, as ONNX Runtime keeps them. */
    readonly weights: number;
    /** The most that values computed on the way take at once, the backward pass included. */
    readonly values: number;
  };
  readonly seconds: { readonly forward: number; readonly guided: number };
}

/** Bytes of a process that has Node and ONNX Runtime loaded and no network. */
export const emptyProcess = 110e6;

/**
 * FLOPs from the shapes of convolutions and products, values by their first and last use in the
 * derived graph, time from these and the speed of two small runs on this machine.
 * @param graph the model's, resolved
 */
export async function estimateStep(
  graph: Graph,
  model: Model,
  options: SessionOptions = {},
): Promise<Estimate> {
  const x = graph.values.get(model.card.inputs.x);
  const [, channels = 0, height = 0, width = 0] = x?.shape ?? [];
  const operator = inpainting({ mask: zeros([1, height, width]) });
  const image = [channels, height, width] as const;
  const losses = [measurementLoss(operator, zeros(image))];
  const placement = { image, top: 0, left: 0 };
  const guided = guidedGraph(graph, model.card, { losses, placement });
  const weights = constantBytes(guided);
  const speed = await measureSpeed(options);
  return {
    flops: { forward: flopsOf(graph), guided: flopsOf(guided) },
    // Once as they are, once packed for the kernels.
    bytes: { weights: 2 * weights, values: peakBytes(guided) },
    seconds: { forward: secondsOf(graph, speed), guided: secondsOf(guided, speed) },
  };
}

/** Of one run, at that speed. */
export function secondsOf(graph: Graph, speed: Speed): number {
  return flopsOf(graph) / speed.flops + bytesMoved(graph) / speed.bytes;
}
