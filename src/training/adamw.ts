/** AdamW and an exponential moving average of the weights, as nodes of a graph. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';

export interface AdamOptions {
  /** Decay of the mean and of the mean square of gradients. */
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  /** λ: each step takes rate · λ · w off the weights, whatever the gradient. */
  readonly weightDecay: number;
}

/** PyTorch's defaults, but for the decay of weights, which diffusion models are trained without. */
export const adamDefaults: AdamOptions = { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 };

/** What is kept from step to step; all of one shape. */
export interface Moving<T> {
  readonly weights: T;
  /** Running mean of the gradient. */
  readonly mean: T;
  /** Running mean of its square. */
  readonly square: T;
  /** Average of the weights. */
  readonly average: T;
}

/** Scalars of a step. */
export interface Scalars<T> {
  readonly rate: T;
  /** rate / (1 − β₁ᵏ) at step k = 1, 2, … */
  readonly stepSize: T;
  /** √(1 − β₂ᵏ) */
  readonly correction: T;
  /** 1 − decay of the average. */
  readonly share: T;
}

/** What a step's graph is told, for step `index` = 0, 1, … */
export function scalarsAt(
  index: number,
  { rate, ema, betas: [beta1, beta2] }: { rate: number; ema: number } & Pick<AdamOptions, 'betas'>,
): Scalars<number> {
  const k = index + 1;
  return {
    rate,
    stepSize: rate / (1 - beta1 ** k),
    correction: Math.sqrt(1 - beta2 ** k),
    // The average of a short run would otherwise be mostly the weights that it began with.
    share: 1 - Math.min(ema, k / (k + 9)),
  };
}

/**
 * Loshchilov & Hutter (2019), algorithm 2 with both bias corrections, as `torch.optim.AdamW` writes
 * it: w ← w (1 − rate λ) − stepSize m / (√v / √(1 − β₂ᵏ) + ε).
 */
export function adamw(
  b: GraphBuilder,
  now: Moving<Value>,
  gradient: Value,
  { rate, stepSize, correction, share }: Scalars<Value>,
  { betas: [beta1, beta2], epsilon, weightDecay }: AdamOptions,
): Moving<Value> {
  const mean = b.add(b.scale(now.mean, beta1), b.scale(gradient, 1 - beta1));
  const squared = b.mul(gradient, gradient);
  const square = b.add(b.scale(now.square, beta2), b.scale(squared, 1 - beta2));
  const root = b.div(b.op('Sqrt', [square]), correction);
  const change = b.div(b.mul(mean, stepSize), b.add(root, b.scalar(epsilon, root)));
  const kept = b.sub(b.scalar(1, rate), b.scale(rate, weightDecay));
  const decayed = weightDecay === 0 ? now.weights : b.mul(now.weights, kept);
  const weights = b.sub(decayed, change);
  const average = b.add(now.average, b.mul(b.sub(weights, now.average), share));
  return { weights, mean, square, average };
}
