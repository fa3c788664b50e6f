/** A Gaussian-mixture prior: its exact ε as an ONNX graph, and in closed form. */
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph, Value } from '../../src/onnx/graph.ts';
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
export function mixtureGraph(mixture: Mixture, batch: number): Graph {
  const b = new GraphBuilder();
  const { x, t } = inputs(b, mixture, batch);
  const prior = b.constant(mixture.weights.map(Math.log), 'float32', [1, mixture.weights.length]);
  b.output(epsilon(b, mixture, { x, t, prior }), 'eps');
  return b.graph;
}

/**
 * The same with one more input, y int64 `[batch]`: component y alone, or all of them where y is
 * their number.
 */
export function labelledMixtureGraph(mixture: Mixture, batch: number): Graph {
  const b = new GraphBuilder();
  const { x, t } = inputs(b, mixture, batch);
  const y = b.input('y', 'int64', [batch]);
  const logs = mixture.weights.map(Math.log);
  const rows = [...logs.keys()].map((c) => logs.map((_, k) => (k === c ? 0 : -1e9)));
  const table = b.constant([...rows, logs].flat(), 'float32', [logs.length + 1, logs.length]);
  b.output(epsilon(b, mixture, { x, t, prior: b.op('Gather', [table, y]) }), 'eps');
  return b.graph;
}

/** log p(k | x_t) of every component, `[batch,K]`, as `logits`; inputs x and t. */
export function classifierGraph(mixture: Mixture, batch: number): Graph {
  const b = new GraphBuilder();
  const { x, t } = inputs(b, mixture, batch);
  const prior = b.constant(mixture.weights.map(Math.log), 'float32', [1, mixture.weights.length]);
  b.output(b.add(prior, likelihood(b, mixture, { x, t }).log), 'logits');
  return b.graph;
}

function inputs(b: GraphBuilder, { shape }: Mixture, batch: number): { x: Value; t: Value } {
  return { x: b.input('x', 'float32', [batch, ...shape]), t: b.input('t', 'float32', [batch]) };
}

/** log p(x_t | k) `[batch,K]` up to a constant, and its gradient `[batch,K,D]`. */
function likelihood(
  b: GraphBuilder,
  { means, variances }: Mixture,
  { x, t }: { x: Value; t: Value },
): { log: Value; pull: Value; noise: Value } {
  const [k, d] = [means.length, means[0]?.length ?? 0];
  const table = b.constant(Float32Array.from(alphaBars));
  const alphaBar = b.reshape(b.op('Gather', [table, b.cast(t, 'int64')]), [-1, 1, 1]);
  const noise = b.sub(b.constant(1), alphaBar);
  const mean = b.constant(means.flat(), 'float32', [1, k, d]);
  const variance = b.add(
    b.mul(alphaBar, b.constant(variances.flat(), 'float32', [1, k, d])),
    noise,
  );
  const signal = b.op('Sqrt', [alphaBar]);
  const centred = b.sub(b.mul(signal, mean), b.reshape(x, [-1, 1, d]));
  const pull = b.div(centred, variance);
  const exponent = b.add(b.mul(centred, pull), b.op('Log', [variance]));
  return { log: b.scale(b.reduce('Sum', exponent, [2], false), -0.5), pull, noise };
}

/** @param prior logarithms of the components' weights, `[1,K]` or `[batch,K]` */
function epsilon(
  b: GraphBuilder,
  mixture: Mixture,
  { x, t, prior }: { x: Value; t: Value; prior: Value },
): Value {
  const { log, pull, noise } = likelihood(b, mixture, { x, t });
  const share = b.op('Softmax', [b.add(log, prior)], { axis: -1 });
  const weighted = b.mul(pull, b.reshape(share, [-1, mixture.weights.length, 1]));
  const score = b.reduce('Sum', weighted, [1], false);
  const eps = b.neg(b.mul(b.reshape(b.op('Sqrt', [noise]), [-1, 1]), score));
  return b.reshape(eps, [-1, ...mixture.shape]);
}

/** Three classes at the corners of a triangle, as in figure 2 of Ho & Salimans (2022). */
export const triangle: Mixture = {
  shape: [2, 1, 1],
  weights: [1 / 3, 1 / 3, 1 / 3],
  means: [90, 210, 330].map((degrees) => {
    const angle = (degrees * Math.PI) / 180;
    return [0.4 * Math.cos(angle), 0.4 * Math.sin(angle)];
  }),
  variances: [1, 2, 3].map(() => [0.04, 0.04]),
};

/** A component of a mixture by itself. */
export function component({ shape, means, variances }: Mixture, k: number): Mixture {
  return { shape, weights: [1], means: [means[k] ?? []], variances: [variances[k] ?? []] };
}

/** log p_t(x_t) of the mixture, in float64. */
export function logDensity(
  { weights, means, variances }: Mixture,
  x: readonly number[],
  alphaBar: number,
): number {
  const logs = weights.map((w, k) =>
    x.reduce((log, v, i) => {
      const total = alphaBar * (variances[k]?.[i] ?? 0) + 1 - alphaBar;
      const centred = v - Math.sqrt(alphaBar) * (means[k]?.[i] ?? 0);
      return log - 0.5 * (centred ** 2 / total + Math.log(2 * Math.PI * total));
    }, Math.log(w)),
  );
  const top = Math.max(...logs);
  return top + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - top), 0));
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
