/** Small networks of known weights for losses to go through. */
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Value } from '../../src/onnx/graph.ts';
import type { LossNetwork } from '../../src/losses/network.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';
import { randomTensor } from '../helpers/random.ts';

type Build = (b: GraphBuilder, inputs: readonly Value[]) => Record<string, Value>;

interface Options {
  readonly opset?: number;
  /** A batch of one, whatever is asked for. */
  readonly single?: boolean;
}

/** A network of inputs `in.0`, `in.1`, …; what `build` names are values of its graph, and outputs. */
export function networkOf(
  name: string,
  build: Build,
  { opset = 17, single = false }: Options = {},
): LossNetwork {
  return {
    name,
    digest: name,
    at: async (shapes) => {
      const b = new GraphBuilder(emptyGraph(name, opset));
      const inputs = shapes.map((shape, i) =>
        b.input(`in.${i}`, 'float32', single ? shape.with(0, 1) : shape),
      );
      for (const [as, value] of Object.entries(build(b, inputs))) b.output(value, as);
      return b.graph;
    },
  };
}

/** Seeded weights of about unit gain. */
export function weights(name: string, shape: readonly number[]): Float32Array {
  const fan = sizeOf(shape.slice(1));
  return randomTensor(name, shape).data.map((v) => v / Math.sqrt(fan));
}

/** Embeddings `[N,dim]` that are linear in the image. */
export function linear(b: GraphBuilder, image: Value, dim: number): Value {
  const [n = 1, ...rest] = image.shape;
  const size = sizeOf(rest);
  const w = b.constant(weights('linear', [dim, size]), 'float32', [dim, size]);
  return b.matMul(b.reshape(image, [n, size]), b.transpose(w, [1, 0]));
}

/** Each pixel's channels mixed, `[N,to,H,W]`. */
export function mixed(b: GraphBuilder, image: Value, to: number): Value {
  const from = image.shape[1] ?? 0;
  const w = b.constant(weights('mixed', [to, from]), 'float32', [to, from, 1, 1]);
  return b.op('Conv', [image, w], { kernel_shape: [1, 1] });
}
