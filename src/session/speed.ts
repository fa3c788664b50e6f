/** How fast this machine is, by two small runs. */
import { GraphBuilder } from '../onnx/builder.ts';
import { initializerFrom } from '../onnx/initializer.ts';
import type { Graph } from '../onnx/graph.ts';
import { flopsOf } from '../onnx/flops.ts';
import { sizeOf, zeros } from '../tensor/tensor.ts';
import { openGraph, type SessionOptions } from './session.ts';

export interface Speed {
  /** Floating-point operations a second, in a 3×3 convolution of 64 channels. */
  readonly flops: number;
  /** Bytes read and written a second, in a node that computes next to nothing. */
  readonly bytes: number;
}

/** Takes a fraction of a second. */
export async function measureSpeed(options: SessionOptions = {}): Promise<Speed> {
  const convolution = new GraphBuilder();
  const x = convolution.input('x', 'float32', [1, 64, 64, 64]);
  const kernel = initializerFrom(
    'float32',
    [64, 64, 3, 3],
    new Float32Array(64 * 64 * 9).fill(0.1),
  );
  const w = convolution.initializer('w', kernel);
  convolution.output(convolution.op('Conv', [x, w], { pads: [1, 1, 1, 1] }), 'y');

  const cheap = new GraphBuilder();
  const a = cheap.input('x', 'float32', [1, 64, 128, 128]);
  cheap.output(cheap.op('Sigmoid', [a]), 'y');
  return {
    flops: flopsOf(convolution.graph) / (await secondsOf(convolution.graph, options)),
    bytes: (2 * 4 * sizeOf(a.shape)) / (await secondsOf(cheap.graph, options)),
  };
}

/** The fastest of a few runs: what slows the others down is not the machine. */
async function secondsOf(graph: Graph, options: SessionOptions): Promise<number> {
  const session = await openGraph(graph, options);
  const feeds = { x: zeros(graph.inputs[0]?.shape ?? []) };
  let best = Infinity;
  try {
    for (let i = 0; i < 5; i++) {
      const began = performance.now();
      await session.run(feeds);
      best = Math.min(best, performance.now() - began);
    }
  } finally {
    await session.release();
  }
  return best / 1000;
}
