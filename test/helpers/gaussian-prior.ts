/** A Gaussian over two values, whose noise prediction is known exactly: the networkless prior of tests. */
import type { Denoise } from '../../src/samplers/sampler.ts';
import type { Step } from '../../src/schedules/respace.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

export interface Gaussian2 {
  readonly mean: readonly [number, number];
  /** Variance of the first value, covariance, variance of the second. */
  readonly cov: readonly [number, number, number];
}

/**
 * E[eps | x_t] and E[x0 | x_t] for images `[N,2,1,1]` drawn from `prior`:
 * eps = sqrt(1-alphaBar) (alphaBar C + (1-alphaBar) I)^-1 (x_t - sqrt(alphaBar) m).
 */
export function exactDenoise({ mean, cov }: Gaussian2): Denoise {
  return async (x, { alphaBar }) => {
    const [a, b, c] = [
      alphaBar * cov[0] + 1 - alphaBar,
      alphaBar * cov[1],
      alphaBar * cov[2] + 1 - alphaBar,
    ];
    const scale = Math.sqrt(1 - alphaBar) / (a * c - b * b);
    const eps = new Float32Array(x.data.length);
    const x0 = new Float32Array(x.data.length);
    for (let i = 0; i < eps.length; i += 2) {
      const u = x.data[i]! - Math.sqrt(alphaBar) * mean[0];
      const v = x.data[i + 1]! - Math.sqrt(alphaBar) * mean[1];
      const e = [scale * (c * u - b * v), scale * (a * v - b * u)] as const;
      for (const k of [0, 1] as const) {
        eps[i + k] = e[k];
        x0[i + k] = (x.data[i + k]! - Math.sqrt(1 - alphaBar) * e[k]) / Math.sqrt(alphaBar);
      }
    }
    return { eps: { shape: x.shape, data: eps }, x0: { shape: x.shape, data: x0 } };
  };
}

/**
 * The learned-variance output of a perfect network for a prior of independent values:
 * p(x' | x_t) is then Gaussian with variance posteriorVariance + k^2 Var[x0 | x_t], where k is the
 * weight of x0 in the posterior mean.
 */
export function exactVariance({ cov }: Gaussian2, step: Step, shape: readonly number[]): Tensor {
  const { alphaBar, alphaBarPrev, beta } = step;
  const k = (Math.sqrt(alphaBarPrev) * beta) / (1 - alphaBar);
  const low = Math.log(step.posteriorVarianceClipped);
  const values = [cov[0], cov[2]].map((s2) => {
    const ofX0 = (s2 * (1 - alphaBar)) / (alphaBar * s2 + 1 - alphaBar);
    const log = Math.log(step.posteriorVariance + k ** 2 * ofX0);
    return (2 * (log - low)) / (Math.log(beta) - low) - 1;
  });
  return { shape, data: Float32Array.from({ length: shape[0]! * 2 }, (_, i) => values[i % 2]!) };
}

/** Mean and covariance of the images of a batch `[N,2,1,1]`. */
export function moments({ shape, data }: Tensor): Gaussian2 {
  const n = shape[0]!;
  let [u, v, uu, uv, vv] = [0, 0, 0, 0, 0];
  for (let i = 0; i < data.length; i += 2) {
    const [a, b] = [data[i]!, data[i + 1]!];
    u += a / n;
    v += b / n;
    uu += (a * a) / n;
    uv += (a * b) / n;
    vv += (b * b) / n;
  }
  return { mean: [u, v], cov: [uu - u * u, uv - u * v, vv - v * v] };
}
