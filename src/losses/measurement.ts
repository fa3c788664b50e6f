/** The data-fidelity loss of DPS. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';

/**
 * ‖y − ŷ‖₂ of each image, not squared (Chung et al. 2023, DPS, algorithm 1).
 * @param y measurement, `[N,C,H,W]`
 * @param predicted A(x̂₀), of the same shape
 * @returns `[N]`
 */
export function measurementNorm(b: GraphBuilder, y: Value, predicted: Value): Value {
  const n = y.shape[0] ?? 1;
  const residual = b.reshape(b.sub(y, predicted), [n, -1]);
  return b.reduce('L2', residual, [1], false);
}

/**
 * The same of a residual whose coordinates have standard deviations of their own, which it is
 * divided by.
 * @param coordinates `[N,C,H,W]`, in an orthonormal basis
 * @param deviation broadcasts to them
 * @returns `[N]`
 */
export function whitenedNorm(b: GraphBuilder, coordinates: Value, deviation: Value): Value {
  const n = coordinates.shape[0] ?? 1;
  return b.reduce('L2', b.reshape(b.div(coordinates, deviation), [n, -1]), [1], false);
}

/**
 * −log of a Gaussian of independent coordinates, but for its constant: half the sum of their
 * squares in units of their standard deviations.
 * @param coordinates `[N,C,H,W]`
 * @param deviation broadcasts to them
 * @returns `[N]`
 */
export function negativeLogLikelihood(
  b: GraphBuilder,
  coordinates: Value,
  deviation: Value,
): Value {
  const n = coordinates.shape[0] ?? 1;
  const z = b.reshape(b.div(coordinates, deviation), [n, -1]);
  return b.scale(b.reduce('SumSquare', z, [1], false), 0.5);
}
