/** A Gaussian-mixture prior: its exact ε as an ONNX graph, and in closed form. */
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { betas } from '../../src/schedules/betas.ts';

export interface Mixture {
  readonly shape: readonly [number, number, number];
  readonly weights: readonly number[];
  /** `[K][D]` */
  readonly means: readonly (readonly number[])[];
  /** Variance of every dimension of a component, `[K][D]`. */
  readonly variances: readonly (readonly number[])[];
}

const alphaBars = (() => {
  let product = 1;
  return betas({ name: 'linear' }).map((beta) => (product *= 1 - beta));
})();

/**
 * ε(x_t, t) = −√(1−ᾱ) ∇ log p_t(x_t), p_t = Σ w N(√ᾱ m, ᾱ s² + 1 − ᾱ).
 * Inputs x `[batch,C,H,W]`, t `[batch]`; output eps.
 */
export function mixtureGraph({ shape, weights, means, variances }: Mixture, batch: number): Graph {
  const b = new GraphBuilder();
  const [k, d] = [weights.length, means[0]?.length ?? 0];
  const x = b.input('x', 'float32', [batch, ...shape]);
  const t = b.input('t', 'float32', [batch]);
  const table = b.constant(Float32Array.from(alphaBars));
  const alphaBar = b.reshape(b.op('Gather', [table, b.cast(t, 'int64')]), [batch, 1, 1]);
  const noise = b.sub(b.constant(1), alphaBar);
  const mean = b.constant(means.flat(), 'float32', [1, k, d]);
  const variance = b.add(
    b.mul(alphaBar, b.constant(variances.flat(), 'float32', [1, k, d])),
    noise,
  );
  const signal = b.op('Sqrt', [alphaBar]);
  const centred = b.sub(b.mul(signal, mean), b.reshape(x, [batch, 1, d]));
  const pull = b.div(centred, variance);
  const exponent = b.add(b.mul(centred, pull), b.op('Log', [variance]));
  const logLikelihood = b.scale(b.reduce('Sum', exponent, [2], false), -0.5);
  const prior = b.constant(weights.map(Math.log), 'float32', [1, k]);
  const share = b.op('Softmax', [b.add(logLikelihood, prior)], { axis: -1 });
  const score = b.reduce('Sum', b.mul(pull, b.reshape(share, [batch, k, 1])), [1], false);
  const eps = b.neg(b.mul(b.reshape(b.op('Sqrt', [noise]), [batch, 1]), score));
  b.output(b.reshape(eps, [batch, ...shape]), 'eps');
  return b.graph;
}

/** E[x₀ | x_t] of the mixture, in float64. */
export function posteriorMean(
  { weights, means, variances }: Mixture,
  x: readonly number[],
  alphaBar: number,
): number[] {
  const signal = Math.sqrt(alphaBar);
  const parts = weights.map((w, k) => {
    let log = Math.log(w);
    const mean = x.map((v, i) => {
      const [m = 0, s2 = 0] = [means[k]?.[i], variances[k]?.[i]];
      const total = alphaBar * s2 + 1 - alphaBar;
      log -= 0.5 * ((v - signal * m) ** 2 / total + Math.log(total));
      return m + ((signal * s2) / total) * (v - signal * m);
    });
    return { log, mean };
  });
  const top = Math.max(...parts.map((p) => p.log));
  const shares = parts.map((p) => Math.exp(p.log - top));
  const sum = shares.reduce((a, c) => a + c, 0);
  return x.map((_, i) =>
    parts.reduce((m, p, k) => m + ((shares[k] ?? 0) / sum) * (p.mean[i] ?? 0), 0),
  );
}
