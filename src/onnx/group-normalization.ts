/** Group normalization (Wu & He 2018, arXiv 1803.08494) as Reshape, InstanceNormalization, Mul and Add. */
import type { Lowering } from './lowering.ts';

export interface GroupNormalization {
  /** `[N,C,…]`. */
  readonly x: string;
  /** `[C]`, or one number a group. */
  readonly scale: string;
  readonly bias: string;
  readonly groups: number;
  readonly epsilon: number;
  readonly perGroup: boolean;
}

/**
 * The form that exporters write before opset 18 and that every provider has kernels for.
 * @param size how many numbers scale and bias have
 * @param output the name of what comes out
 */
export function writeGroupNormalization(
  w: Lowering,
  { x, scale, bias, groups, epsilon, perGroup }: GroupNormalization,
  size: number,
  output: string,
): void {
  const each = (value: number): number[] => new Array<number>(groups).fill(value);
  const grouped = w.emit('Reshape', [x, w.ints('groups', [0, groups, -1])], w.own('grouped'));
  const statistics = [w.floats('ones', each(1)), w.floats('zeros', each(0))];
  const normal = w.emit('InstanceNormalization', [grouped, ...statistics], w.own('normal'), {
    epsilon,
  });
  // Both multiply [N, size, rest].
  const rows = perGroup
    ? normal
    : w.emit('Reshape', [normal, w.ints('channels', [0, size, -1])], w.own('rows'));
  const column = w.ints('column', [size, 1]);
  const upright = (name: string, part: string): string =>
    w.emit('Reshape', [name, column], w.own(part));
  const scaled = w.emit('Mul', [rows, upright(scale, 'scale')], w.own('scaled'));
  const shifted = w.emit('Add', [scaled, upright(bias, 'bias')], w.own('shifted'));
  w.emit('Reshape', [shifted, w.emit('Shape', [x], w.own('shape'))], output);
}
