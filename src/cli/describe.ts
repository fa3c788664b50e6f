/** A run in a line, as it is noted before it begins. */
import path from 'node:path';
import type { Model } from '../pipeline/model.ts';
import { showComputing, type Computing } from './computing.ts';

export interface Run extends Omit<Computing, 'memory'> {
  readonly steps: number;
  readonly seed: number;
  /** Of each image; one if left out. */
  readonly samples?: number;
}

/**
 * As in `default.onnx: inpaint, dsg rate 0.1 interval 1, ddim eta 1, 20 steps, seed 0, cpu`.
 * @param words what is made, and how
 */
export function describeRun(
  { file, inferred }: Model,
  words: readonly string[],
  { steps, seed, samples = 1, ...computing }: Run,
): string {
  const terms = [
    ...words,
    `${steps} steps`,
    ...(samples > 1 ? [`${samples} samples`] : []),
    `seed ${seed}`,
    showComputing(computing),
  ];
  const reasons = inferred.length > 0 ? `; inferred ${inferred.join(', ')}` : '';
  return `${path.basename(file)}: ${terms.join(', ')}${reasons}`;
}
