/** Initial weights, drawn as a network asks for them. */
import type { Weights } from '../checkpoint/weights.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { initializerFrom } from '../onnx/initializer.ts';
import { noiseKey, gaussian, uniforms } from '../tensor/noise.ts';
import { sizeOf } from '../tensor/tensor.ts';

/** Modules that PyTorch's rule does not fit. */
export interface Exceptions {
  /** All zero: a network that starts there predicts nothing, and a residual block adds nothing. */
  readonly zero: (module: string) => boolean;
  /** Standard normal: tables of embeddings. */
  readonly normal: (module: string) => boolean;
}

/**
 * PyTorch's default: weight and bias of convolutions and linear layers uniform in ±1/√(inputs of an
 * output), scales 1 and shifts 0 of normalizations. A weight follows from seed and name.
 */
export function drawnWeights(b: GraphBuilder, seed: number, exceptions: Exceptions): Weights {
  const bounds = new Map<string, number>();
  const drawn = (name: string, shape: readonly number[]): Float32Array => {
    const dot = name.lastIndexOf('.');
    const [module, isBias] = [name.slice(0, dot), name.slice(dot) === '.bias'];
    const size = sizeOf(shape);
    if (!isBias && shape.length > 1) bounds.set(module, 1 / Math.sqrt(size / (shape[0] as number)));
    const bound = bounds.get(module);
    if (exceptions.zero(module)) return new Float32Array(size);
    if (bound === undefined) return new Float32Array(size).fill(isBias ? 0 : 1);
    const key = noiseKey(seed, `weights/${name}`);
    if (exceptions.normal(module)) return gaussian(key, 'sample', 0, shape).data;
    return Float32Array.from(uniforms(key, 'sample', 0, size), (u) => bound * (2 * u - 1));
  };
  return {
    has: () => true,
    take: (name, shape, as = shape) =>
      b.initializer(name, initializerFrom('float32', as, drawn(name, shape))),
    finish() {},
  };
}
