/** The gradient of SiLU. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';

/**
 * g s (1 + z (1 − s)) of z · s with s = sigmoid(z): one product and one sum less than by the rules
 * of the two, on the largest tensors of a UNet.
 */
export function siluGradient(b: GraphBuilder, z: Value, s: Value, g: Value): Value {
  const one = b.scalar(1, z);
  return b.mul(g, b.mul(s, b.add(b.mul(z, b.sub(one, s)), one)));
}
