/** Gradients of Fourier transforms. g: gradient of the output. */
import { intAttr, type Attributes } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { constantInputs } from '../constant-inputs.ts';
import { rule, unless, writtenAs, type RuleContext, type RuleTable } from '../rule.ts';

const dftAxis = (c: NodeView): number => {
  const rank = c.x.shape.length;
  const byInput = c.graph.opset >= 20;
  const axis = byInput ? (c.constant(2)?.[0] ?? -2) : intAttr(c.node, 'axis', 1);
  return axis < 0 ? axis + rank : axis;
};

/**
 * The adjoint of a sum over e^(−2πikn/N) is the sum over e^(2πikn/N): N times the inverse
 * transform. A one-sided result is the head of a whole one, and a real input takes the real part.
 */
function dftInput(c: RuleContext): Value {
  const { b, x, g } = c;
  const axis = dftAxis(c);
  const size = x.shape[axis] as number;
  const inverse = intAttr(c.node, 'inverse', 0);
  if (inverse && intAttr(c.node, 'onesided', 0)) return halfSpectrum(c, axis, size);
  const length = c.constant(1)?.[0] ?? size;
  const turned = transform(c.b, resized(c, g, axis, length), axis, { inverse: 1 - inverse });
  const parts = x.shape.at(-1) as number;
  const fitted = resized(c, resized(c, turned, axis, size), x.shape.length - 1, parts);
  return b.scale(fitted, inverse ? 1 / length : length);
}

/**
 * A real result of half a spectrum, the other half being its mirror image: what both halves hold counts
 * twice, and the adjoint of a sum over cos and −sin is again half a spectrum.
 */
function halfSpectrum(c: RuleContext, axis: number, size: number): Value {
  const { b, g, x } = c;
  const length = g.shape[axis] as number;
  const half = transform(b, g, axis, { onesided: 1 });
  const counts = Array.from({ length: half.shape[axis] as number }, (_, k) =>
    k === 0 || 2 * k === length ? 1 / length : 2 / length,
  );
  const shape = x.shape.map((_, i) => (i === axis ? counts.length : 1));
  return resized(c, b.mul(half, b.constant(counts, g.dtype, shape)), axis, size);
}

/** A DFT along an axis, as the operator set writes it. */
function transform(b: GraphBuilder, v: Value, axis: number, how: Attributes): Value {
  return b.graph.opset >= 20
    ? b.op('DFT', [v, undefined, b.ints(axis)], how)
    : b.op('DFT', [v], { axis, ...how });
}

/** Zeros at the end of an axis, or what is beyond its new size cut off. */
function resized({ b }: RuleContext, v: Value, axis: number, size: number): Value {
  const by = size - (v.shape[axis] as number);
  const pads = [...v.shape, ...v.shape].fill(0).with(v.shape.length + axis, by);
  return by === 0 ? v : b.op('Pad', [v, b.ints(pads)]);
}

/** ONNX Runtime's kernel reads past the end of a real window then (1.30). */
const complexSamples = ({ x }: NodeView): string | undefined =>
  x.shape[2] === 2 ? 'its samples are complex' : undefined;

/**
 * A short-time transform: frames of the signal `[batch, samples, 1]`, one after every step, each times the window
 * and transformed.
 */
const shortTime = writtenAs([0, 2], (b, v) => {
  const { x: signal, node } = v;
  const window = v.input(2);
  const [step = 1] = v.constant(1) ?? [];
  const [length = window?.shape[0] ?? 1] = v.constant(3) ?? [];
  const frames = v.y.shape[1] as number;
  const places = Array.from({ length: frames * length }, (_, i) => {
    return Math.floor(i / length) * step + (i % length);
  });
  const indices = b.constant(places, 'int64', [frames, length]);
  const cut = b.op('Gather', [signal, indices], { axis: 1 });
  const weighted = window ? b.mul(cut, b.reshape(window, [length, 1])) : cut;
  const onesided = intAttr(node, 'onesided', 1);
  return [transform(b, weighted, 2, { onesided })];
});

export const transforms: RuleTable = {
  DFT: rule(dftInput),
  STFT: unless((v) => complexSamples(v) ?? constantInputs(1, 3)(v), shortTime),
};
