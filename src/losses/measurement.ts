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
  return residualNorm(b, b.sub(y, predicted));
}

/** ‖r‖₂ of each image. @param residual `[N,C,H,W]` @returns `[N]` */
export function residualNorm(b: GraphBuilder, residual: Value): Value {
  return b.reduce('L2', rows(b, residual), [1], false);
}

/**
 * −log of a standard Gaussian, but for its constant: ½ ‖z‖² of each image.
 * @param z `[N,C,H,W]`, a residual in units of its standard deviations
 * @returns `[N]`
 */
export function negativeLogLikelihood(b: GraphBuilder, z: Value): Value {
  return b.scale(b.reduce('SumSquare', rows(b, z), [1], false), 0.5);
}

function rows(b: GraphBuilder, x: Value): Value {
  return b.reshape(x, [x.shape[0] ?? 1, -1]);
}
