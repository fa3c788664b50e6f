/** Constants that gradients derive from weights and shapes. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { bytesOf, float32Values, type Initializer } from '../onnx/initializer.ts';
import { showShape, sizeOf } from '../tensor/tensor.ts';

/**
 * A constant under a name that says all about it, made the first time it is asked for. Its bytes
 * should only be computed when read, so that a derived graph holds no second copy of its weights.
 */
export function derived(b: GraphBuilder, name: string, make: () => Initializer): Value {
  return b.graph.values.get(name) ?? b.initializer(name, make());
}

/** The same in float32. */
export function derivedFloats(
  b: GraphBuilder,
  name: string,
  shape: readonly number[],
  make: () => Float32Array,
): Value {
  return derived(b, name, () => ({ dtype: 'float32', shape, bytes: () => bytesOf(make()) }));
}

/** Float32 ones of a shape. */
export function ones(b: GraphBuilder, shape: readonly number[]): Value {
  return derivedFloats(b, `ones${showShape(shape)}`, shape, () =>
    new Float32Array(sizeOf(shape)).fill(1),
  );
}

/** Whether a float constant is `number` throughout; not so for a computed or absent one. */
export function isFilledWith(constant: Initializer | undefined, number: number): boolean {
  return constant !== undefined && float32Values(constant).every((v) => v === number);
}
