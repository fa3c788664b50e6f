/** What is random at a training step: a function of seed and step, so that a run can be resumed. */
import { gaussian, noiseKey, uniforms } from '../tensor/noise.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** `count` values uniform in [0,1) for one purpose at one step. */
function drawn(seed: number, purpose: string, step: number, count: number): Float64Array {
  return uniforms(noiseKey(seed, `training/${purpose}`), 'sample', step, count);
}

/** ε of a batch. */
export function noiseAt(seed: number, step: number, shape: readonly number[]): Tensor {
  return gaussian(noiseKey(seed, 'training/noise'), 'sample', step, shape);
}

/**
 * Timesteps in 0..T-1, each as likely as any other, spread evenly over the batch from a random
 * start: the low-discrepancy sampler of Kingma et al. (2021), appendix I.1, which makes the loss of
 * a batch less noisy.
 */
export function timestepsAt(seed: number, step: number, count: number, T: number): number[] {
  const [start = 0] = drawn(seed, 'timestep', step, 1);
  return Array.from({ length: count }, (_, i) => Math.floor(((start + i / count) % 1) * T));
}

/** Labels, each replaced by the null token with probability `p`: Ho & Salimans (2022), algorithm 1. */
export function droppedAt(
  seed: number,
  step: number,
  labels: readonly number[],
  { p, null: empty }: { readonly p: number; readonly null: number },
): number[] {
  const chances = drawn(seed, 'label', step, labels.length);
  return labels.map((label, i) => ((chances[i] as number) < p ? empty : label));
}

/** Which images of a batch are mirrored: half of them. */
export function mirroredAt(seed: number, step: number, count: number): boolean[] {
  return Array.from(drawn(seed, 'mirror', step, count), (u) => u < 0.5);
}

/**
 * The position in 0..total-1 of the n-th image that is shown: every image once an epoch, in an
 * order that is another in each.
 */
export function shuffled(seed: number, total: number): (n: number) => number {
  let order: { readonly epoch: number; readonly positions: Uint32Array } | undefined;
  return (n) => {
    const epoch = Math.floor(n / total);
    if (order?.epoch !== epoch) order = { epoch, positions: permutation(seed, epoch, total) };
    return order.positions[n % total] as number;
  };
}

/** Fisher and Yates' shuffle. */
function permutation(seed: number, epoch: number, total: number): Uint32Array {
  const chances = drawn(seed, 'order', epoch, total);
  const positions = Uint32Array.from({ length: total }, (_, i) => i);
  for (let i = total - 1; i > 0; i--) {
    const j = Math.floor((chances[i] as number) * (i + 1));
    [positions[i], positions[j]] = [positions[j] as number, positions[i] as number];
  }
  return positions;
}
