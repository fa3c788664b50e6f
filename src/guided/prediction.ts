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
 * x_t and noise level as a network that was trained on images in [0,1] knows them:
 * z_t = (x_t + √ᾱ)/√(1+3ᾱ). See `schedules/unit-range.ts`, of which this is the inverse.
 * @param x x_t of images in [-1,1]
 */
export function onUnitRange(
  b: GraphBuilder,
  x: Value,
  { signal, noise }: NoiseLevel,
): { x: Value; level: NoiseLevel } {
  const squared = b.scale(b.mul(signal, signal), 3);
  const root = b.op('Sqrt', [b.add(squared, b.scalar(1, signal))]);
  const level = { signal: b.div(b.scale(signal, 2), root), noise: b.div(noise, root) };
  return { x: b.div(b.add(x, signal), root), level };
}

/**
 * ε and x̂₀, and x̂₀ before the clip (`open`), for a network that predicts ε,
 * v = √ᾱ ε − √(1−ᾱ) x₀ (Salimans & Ho 2022), or x₀.
 * x̂₀ = (x_t − √(1−ᾱ) ε)/√ᾱ is Tweedie's formula (DPS, eq. 10); the clip, where the card asks for
 * one, is part of x̂₀ and so of its gradient. ε is that of x_t; x̂₀ is in [-1,1] always.
 * @param x and the level as the network knows them: see `onUnitRange`
 */
export function prediction(
  b: GraphBuilder,
  output: Value,
  x: Value,
  { signal, noise }: NoiseLevel,
  card: Pick<Card, 'prediction' | 'clip' | 'range'>,
): { eps: Value; x0: Value; open: Value } {
  const found = unclipped(b, output, x, { signal, noise }, card.prediction);
  const { eps } = found;
  const x0 = card.range === '[0,1]' ? b.sub(b.scale(found.x0, 2), b.scalar(1, x)) : found.x0;
  const clipped = card.clip ? b.op('Clip', [x0, b.scalar(-1, x0), b.scalar(1, x0)]) : x0;
  return { eps, x0: clipped, open: x0 };
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
