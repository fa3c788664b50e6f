/** What a network is trained on. */
import type { Tensor } from '../tensor/tensor.ts';

export interface Examples {
  /** `[N,C,H,W]` in [-1,1] */
  readonly x0: Tensor;
  /** The class of each; all 0 where there are none. */
  readonly labels: readonly number[];
}

export interface Dataset {
  /** `[C,H,W]` of every image. */
  readonly shape: readonly [number, number, number];
  /** Names of the classes; empty where images have none. */
  readonly classes: readonly string[];
  /** What the images follow from: runs on others cannot be resumed with these. */
  readonly identity: string;
  /** In words, for the card. */
  readonly description: string;
  /** The images of a step, which depend on nothing else. */
  at(step: number, count: number): Examples;
}
