/** Fréchet inception distance: Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, NeurIPS 2017. */

import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from 'ml-matrix';
import { UserError } from '../errors.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * Equation 6: ‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2 (C₁C₂)^½) of two sets of feature vectors, in float64, with
 * the unbiased covariance (divided by n − 1).
 *
 * With C = FᵀF the eigenvalues of C₁C₂ are the squared singular values of F₁F₂ᵀ, so that the trace of
 * the root is their sum: no root of a product that is not symmetric, and nothing of the size of
 * the covariance where there are fewer images than features.
 * @param a vectors [D]; @param b likewise; at least two of each
 * @throws UserError for fewer, or vectors of different lengths
 */
export function fid(a: readonly Tensor[], b: readonly Tensor[]): number {
  const D = a[0]?.data.length ?? 0;
  if (a.length < 2 || b.length < 2)
    throw new UserError(
      `fid: needs at least two images on each side, got ${a.length} and ${b.length}`,
    );
  const other = [...a, ...b].find((v) => v.data.length !== D);
  if (other)
    throw new UserError(`fid: feature vectors of different lengths, ${D} and ${other.data.length}`);
  const [p, q] = [centre(a), centre(b)];
  const distance = p.mean.reduce((sum, m, i) => sum + (m - q.mean[i]!) ** 2, 0);
  const [f, g] = [factor(p.centred), factor(q.centred)];
  const root = new SingularValueDecomposition(f.mmul(g.transpose()), {
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
    autoTranspose: true,
  }).diagonal.reduce((sum, s) => sum + s, 0);
  // Of equal sets, rounding would leave a little on either side of 0.
  return Math.max(0, distance + squares(f) + squares(g) - 2 * root);
}

/** The mean, and rows from which it is subtracted and that are divided by √(n − 1). */
function centre(vectors: readonly Tensor[]): { mean: number[]; centred: Matrix } {
  const rows = new Matrix(vectors.map((v) => Float64Array.from(v.data)));
  const mean = rows.mean('column');
  return { mean, centred: rows.subRowVector(mean).div(Math.sqrt(vectors.length - 1)) };
}

/** F with FᵀF the covariance, of no more rows than images or features. */
function factor(centred: Matrix): Matrix {
  if (centred.rows <= centred.columns) return centred;
  const covariance = centred.transpose().mmul(centred);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(covariance, {
    assumeSymmetric: true,
  });
  // Rounding leaves eigenvalues of 0 a little on either side of it.
  const roots = realEigenvalues.map((v) => Math.sqrt(Math.max(0, v)));
  return eigenvectorMatrix.transpose().mulColumnVector(roots);
}

/** The trace of FᵀF. */
function squares(f: Matrix): number {
  return f.to1DArray().reduce((sum, v) => sum + v * v, 0);
}
