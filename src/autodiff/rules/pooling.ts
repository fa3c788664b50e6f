/** Gradients of pooling. g: gradient of the output, y: the output. */
import { intAttr, intsAttr } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { reachOf, type Window } from '../../onnx/window.ts';
import { sizeOf } from '../../tensor/tensor.ts';
import { scatterAddAlong } from '../adjoint.ts';
import { ones } from '../derived.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { rule, unless, type RuleContext, type RuleTable, passingIntegers } from '../rule.ts';
import { windowOf } from '../window.ts';
import { amongTies } from './reduction.ts';

const poolWindow = (c: NodeView): Window => windowOf(c, intsAttr(c.node, 'kernel_shape') ?? []);

/** Every element of a window takes an equal share; where windows overlap, shares add up. */
function averagePoolInput(c: RuleContext): Value {
  const { b, g, x } = c;
  const window = poolWindow(c);
  const { kernel, strides, dilations, pads } = window;
  const rank = kernel.length;
  const reach = reachOf(window);
  const share = sharesOf(c, window);
  // What the windows reach beyond the input at its end, or, negative, leave untouched.
  const excess = kernel.map((_, i) => {
    const last = ((g.shape[i + 2] as number) - 1) * (strides[i] as number) + (reach[i] as number);
    return last + 1 - (pads[i] as number) - (x.shape[i + 2] as number);
  });
  const tiled =
    kernel.every((k, i) => k === strides[i] && reach[i] === k - 1) && pads.every((p) => p === 0);
  if (tiled) {
    const copied = b.op('Resize', [share, undefined, b.constant([1, 1, ...kernel])], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
    const none = new Array<number>(rank + 2).fill(0);
    if (excess.every((e) => e === 0)) return copied;
    return b.op('Pad', [copied, b.ints([...none, 0, 0, ...excess.map((e) => -e)])]);
  }
  const [n = 1, channels = 1, ...size] = share.shape;
  const weights = b.cast(ones(b, [1, 1, ...kernel]), g.dtype);
  const spread = b.op('ConvTranspose', [b.reshape(share, [n * channels, 1, ...size]), weights], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...pads.slice(0, rank), ...excess.map((e) => Math.max(e, 0))],
    output_padding: excess.map((e) => Math.max(-e, 0)),
  });
  return b.reshape(spread, x.shape);
}

/** g over the number of elements that each window averages. */
function sharesOf({ b, g, x, node }: RuleContext, window: Window): Value {
  const rank = window.kernel.length;
  const padsCount = intAttr(node, 'count_include_pad', 0) === 1;
  const taps = window.kernel.map((k, i) => {
    const [pad, stride, dilation, size] = [
      window.pads[i] as number,
      window.strides[i] as number,
      window.dilations[i] as number,
      x.shape[i + 2] as number,
    ];
    const low = padsCount ? -pad : 0;
    const high = size + (padsCount ? (window.pads[i + rank] as number) : 0);
    return Array.from({ length: g.shape[i + 2] as number }, (_, o) => {
      const at = (t: number): number => o * stride - pad + t * dilation;
      return Array.from({ length: k }, (_, t) => at(t)).filter((p) => p >= low && p < high).length;
    });
  });
  if (taps.every((counts) => counts.every((n) => n === counts[0])))
    return b.scale(g, 1 / taps.reduce((n, counts) => n * (counts[0] as number), 1));
  const factors = taps.reduce<number[]>(
    (all, counts) => all.flatMap((f) => counts.map((n) => f / n)),
    [1],
  );
  return b.mul(g, b.constant(factors, g.dtype, [1, 1, ...g.shape.slice(2)]));
}

/** The forward pass also puts out where it found each maximum, counted over the whole tensor. */
function maxPoolInput(c: RuleContext): Value {
  const { b, g, x, y } = c;
  const indices = c.output(1, { dtype: 'int64', shape: y.shape });
  const flat = (v: Value): Value => b.reshape(v, [sizeOf(v.shape)]);
  return b.reshape(scatterAddAlong(b, [sizeOf(x.shape)], flat(indices), flat(g), 0), x.shape);
}

const columnMajor = ({ node }: NodeView): string | undefined =>
  intAttr(node, 'storage_order', 0) ? 'its indices are counted column by column' : undefined;

const spatialAxes = ({ x }: NodeView): number[] => [...x.shape.keys()].slice(2);

export const pooling: RuleTable = {
  AveragePool: rule(averagePoolInput),
  MaxPool: passingIntegers(unless(columnMajor, rule(maxPoolInput))),
  GlobalAveragePool: rule(({ b, g, x }) => b.scale(g, 1 / sizeOf(x.shape.slice(2)))),
  GlobalMaxPool: rule((c) => amongTies(c, c.g, c.y, spatialAxes(c))),
};
