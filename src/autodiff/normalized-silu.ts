/**
 * SiLU(x̂ a + c) of a group's normalized x̂, as nearly every layer of a UNet begins: its gradient a
 * few groups at a time.
 *
 * Written as whole tensors it is some sixteen passes over memory, which in high resolution take a
 * fifth of a guided step. A group's slice of them fits into a CPU's cache, and what lies between
 * is never held whole.
 */
import type { NodeProto } from 'onnx-buf';
import { intAttr } from '../onnx/attributes.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { valueOf, type Graph, type Value } from '../onnx/graph.ts';
import { sizeOf } from '../tensor/tensor.ts';
import type { Composite, Surroundings } from './composites.ts';
import { isFilledWith } from './derived.ts';
import { RuleContext } from './rule.ts';
import { layer } from './rules/normalization.ts';
import { siluGradient } from './silu.ts';

/** Elements from which slices are faster: smaller tensors fit into the cache as they are. */
const smallest = 1 << 21;

/** Elements that a slice should have: so many that what an operator costs to start does not count. */
const sliced = 1 << 18;

/** The composite that ends in SiLU(z), if z comes so from a normalization and is large. */
export function normalizedSilu(
  { graph, path, maker, uses, forms }: Surroundings,
  z: string,
): Composite | undefined {
  const value = (name: string | undefined): Value => valueOf(graph, name ?? '');
  const { shape } = value(z);
  if (sizeOf(shape) < smallest) return undefined;
  /** The node that makes a value, if it is of that type and no other node wants the value. */
  const only = (name: string | undefined, type: string, wanted = 1): NodeProto | undefined => {
    const node = maker.get(name ?? '');
    return node?.opType === type && uses.get(name ?? '') === wanted ? node : undefined;
  };
  const sum = only(z, 'Add', 2);
  const product = sum && only(sum.input[0], 'Mul');
  const spread = product && only(product.input[0], 'Reshape');
  const norm = spread && only(spread.input[0], 'LayerNormalization');
  if (!sum || !product || !norm) return undefined;
  const [scale, shift] = [value(product.input[1]), value(sum.input[1])];
  const [n = 1, channels = 1, ...space] = shape;
  const [batch, groups = 1, ...within] = value(norm.output[0]).shape;
  const fits =
    isPlain(graph, norm) &&
    batch === n &&
    channels % groups === 0 &&
    sizeOf(within) === (channels / groups) * sizeOf(space) &&
    [scale, shift].every((v) => !path.values.has(v.name) && isPerChannel(v.shape, shape));
  if (!fits) return undefined;

  return {
    inputs: [norm.input[0] ?? ''],
    gradients(b, g) {
      const { xHat, inv } = layer(new RuleContext(b, norm, [], forms));
      const wide = channels / groups;
      const together = groupsTogether(n * groups, wide * sizeOf(space));
      const slices = [(n * groups) / together, together];
      const perChannel = (v: Value): Value => {
        const column = [n, channels, ...space.map(() => 1)];
        return b.reshape(b.expand(v, column), [...slices, wide, 1]);
      };
      const whole = (v: Value): Value => b.reshape(v, [...slices, wide, sizeOf(space)]);
      const inputs = [
        whole(g),
        whole(xHat),
        b.reshape(inv, [...slices, 1, 1]),
        perChannel(scale),
        perChannel(shift),
      ];
      const [gradient] = b.scan(inputs, (s, slice) => [sliceGradient(s, slice)]);
      return [b.reshape(gradient as Value, value(norm.input[0]).shape)];
    },
  };
}

/** How many groups of `size` elements are taken at a time: as many as make a megabyte, if that many. */
function groupsTogether(groups: number, size: number): number {
  let together = Math.max(1, Math.min(groups, Math.floor(sliced / size)));
  while (groups % together) together--;
  return together;
}

/**
 * The gradient for groups (k, channels, positions). The scale of a channel is applied to means and
 * together with inv, which saves a product over all positions.
 */
function sliceGradient(b: GraphBuilder, slice: readonly Value[]): Value {
  const [g, xHat, inv, scale, shift] = slice as [Value, Value, Value, Value, Value];
  const z = b.add(b.mul(xHat, scale), shift);
  const unscaled = siluGradient(b, z, b.op('Sigmoid', [z]), g);
  const mean = (v: Value): Value => b.reduce('Mean', b.mul(b.reduce('Mean', v, [2]), scale), [1]);
  const along = b.mul(xHat, b.mul(mean(b.mul(unscaled, xHat)), inv));
  const across = b.mul(unscaled, b.mul(scale, inv));
  return b.sub(b.sub(across, along), b.mul(mean(unscaled), inv));
}

/** Whether a normalization is one over all axes but the first two, and puts out x̂ itself. */
function isPlain(graph: Graph, norm: NodeProto): boolean {
  const [, scale = '', bias] = norm.input;
  return intAttr(norm, 'axis') === 2 && !bias && isFilledWith(graph.initializers.get(scale), 1);
}

/** Whether a tensor of that shape holds one number for each channel of the other. */
function isPerChannel(shape: readonly number[], whole: readonly number[]): boolean {
  const from = whole.length - shape.length;
  return from >= 0 && shape.every((d, i) => d === 1 || (i + from < 2 && d === whole[i + from]));
}
