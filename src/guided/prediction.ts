/** From what a network predicts to ε and x̂₀. */
import type { Card } from '../card/card.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';

/** √ᾱ and √(1−ᾱ) of the step, as scalars of the graph. */
export interface NoiseLevel {
  readonly signal: Value;
  readonly noise: Value;
}

/**
 * ε and x̂₀ for a network that predicts ε, v = √ᾱ ε − √(1−ᾱ) x₀ (Salimans & Ho 2022), or x₀.
 * x̂₀ = (x_t − √(1−ᾱ) ε)/√ᾱ is Tweedie's formula (DPS, eq. 10); the clip, where the card asks for
 * one, is part of x̂₀ and so of its gradient.
 */
export function prediction(
  b: GraphBuilder,
  output: Value,
  x: Value,
  { signal, noise }: NoiseLevel,
  card: Pick<Card, 'prediction' | 'clip'>,
): { eps: Value; x0: Value } {
  const { eps, x0 } = unclipped(b, output, x, { signal, noise }, card.prediction);
  if (!card.clip) return { eps, x0 };
  return { eps, x0: b.op('Clip', [x0, b.scalar(-1, x0), b.scalar(1, x0)]) };
}

function unclipped(
  b: GraphBuilder,
  output: Value,
  x: Value,
  { signal, noise }: NoiseLevel,
  kind: Card['prediction'],
): { eps: Value; x0: Value } {
  switch (kind) {
    case 'epsilon':
      return { eps: output, x0: b.div(b.sub(x, b.mul(noise, output)), signal) };
    case 'v':
      return {
        eps: b.add(b.mul(signal, output), b.mul(noise, x)),
        x0: b.sub(b.mul(signal, x), b.mul(noise, output)),
      };
    case 'x0':
      return { eps: b.div(b.sub(x, b.mul(signal, output)), noise), x0: output };
  }
}
