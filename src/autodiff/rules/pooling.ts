/** Gradients of pooling. g: gradient of the output, y: the output. */
import { intAttr, intsAttr, stringAttr } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { reachOf, windowCounts, type Window } from '../../onnx/window.ts';
import { sameShape, sizeOf } from '../../tensor/tensor.ts';
import { scatterAddAlong } from '../adjoint.ts';
import { ones } from '../derived.ts';
import { passingIntegers, rule, unless, type RuleContext, type RuleTable } from '../rule.ts';
import { windowOf } from '../window.ts';
import { amongTies, tiny } from './reduction.ts';

const poolWindow = (c: NodeView): Window => windowOf(c, intsAttr(c.node, 'kernel_shape') ?? []);

/** Every element of a window takes an equal share. */
function averagePoolInput(c: RuleContext): Value {
  const window = poolWindow(c);
  return spread(c, window, sharesOf(c, window));
}

/** What each window has a `share` of, in the place of its every element; where windows overlap, shares add up. */
function spread({ b, x }: RuleContext, window: Window, share: Value): Value {
  const { kernel, strides, dilations, pads } = window;
  const rank = kernel.length;
  const reach = reachOf(window);
  // What the windows reach beyond the input at its end, or, negative, leave untouched.
  const excess = kernel.map((_, i) => {
    const last =
      ((share.shape[i + 2] as number) - 1) * (strides[i] as number) + (reach[i] as number);
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
  const weights = b.cast(ones(b, [1, 1, ...kernel]), share.dtype);
  const sums = b.op('ConvTranspose', [b.reshape(share, [n * channels, 1, ...size]), weights], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...pads.slice(0, rank), ...excess.map((e) => Math.max(e, 0))],
    output_padding: excess.map((e) => Math.max(-e, 0)),
  });
  return b.reshape(sums, x.shape);
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

/**
 * y = (Σ |x|ᵖ)^(1/p) of each window: sign(x) |x|^(p−1) times the sum of g / y^(p−1) over the windows around x.
 * In a window of zeros the first factor is zero, and the second stays finite.
 */
function pNormInput(c: RuleContext, overWindows: (share: Value) => Value): Value {
  const { b, g, x, y, node } = c;
  const p = intAttr(node, 'p', 2);
  if (p === 1) return b.mul(b.op('Sign', [x]), overWindows(g));
  const power = (v: Value): Value => (p === 2 ? v : b.op('Pow', [v, b.scalar(p - 1, v)]));
  const slope = p === 2 ? x : b.mul(b.op('Sign', [x]), power(b.op('Abs', [x])));
  return b.mul(slope, overWindows(b.div(g, b.op('Max', [power(y), b.scalar(tiny, y)]))));
}

/** What was put in a place; of two that were put in one, where the last remains, both as in PyTorch. */
function maxUnpoolInput({ b, g, x, w }: RuleContext): Value {
  const flat = (v: Value): Value => b.reshape(v, [sizeOf(v.shape)]);
  return b.reshape(b.op('Gather', [flat(g), flat(w)]), x.shape);
}

const columnMajor = ({ node }: NodeView): string | undefined =>
  intAttr(node, 'storage_order', 0) ? 'its indices are counted column by column' : undefined;

/** Where the shape that ONNX Runtime's types say is not that of what its kernel puts out (1.30). */
function misshapen(v: NodeView): string | undefined {
  const window = poolWindow(v);
  const pads = stringAttr(v.node, 'auto_pad', 'NOTSET').startsWith('SAME');
  if (pads && window.dilations.some((d) => d !== 1))
    return 'ONNX Runtime pads its dilated window as one that is not';
  const ceil = intAttr(v.node, 'ceil_mode', 0) === 1;
  return sameShape(windowCounts(v.x.shape.slice(2), window, ceil), v.y.shape.slice(2))
    ? undefined
    : 'ONNX Runtime leaves out its last window, which is beyond the input';
}

const spatialAxes = ({ x }: NodeView): number[] => [...x.shape.keys()].slice(2);

export const pooling: RuleTable = {
  AveragePool: unless(misshapen, rule(averagePoolInput)),
  LpPool: unless(
    misshapen,
    rule((c) => pNormInput(c, (share) => spread(c, poolWindow(c), share))),
  ),
  MaxPool: passingIntegers(unless((v) => columnMajor(v) ?? misshapen(v), rule(maxPoolInput))),
  MaxUnpool: rule(maxUnpoolInput),
  GlobalAveragePool: rule(({ b, g, x }) => b.scale(g, 1 / sizeOf(x.shape.slice(2)))),
  GlobalLpPool: rule((c) => pNormInput(c, (share) => share)),
  GlobalMaxPool: rule((c) => amongTies(c, c.g, c.y, spatialAxes(c))),
};
