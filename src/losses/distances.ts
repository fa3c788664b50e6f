/** Distances between what a network says of an image and what it should say; each image's own. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { sizeOf } from '../tensor/tensor.ts';

/** Keeps the direction of a zero vector finite. */
const tiny = 1e-12;

/** `[N,D]` of `[N,...]`. */
export function flat(b: GraphBuilder, x: Value): Value {
  const [n = 0, ...rest] = x.shape;
  return b.reshape(x, [n, sizeOf(rest)]);
}

/** ‖u − v‖₂, `[N]`. */
export function l2(b: GraphBuilder, u: Value, v: Value): Value {
  return b.reduce('L2', flat(b, b.sub(u, v)), [1], false);
}

/** The same over √D: what a value is off by, in the root mean square. */
export function rms(b: GraphBuilder, u: Value, v: Value): Value {
  return b.scale(l2(b, u, v), 1 / Math.sqrt(sizeOf(u.shape.slice(1))));
}

/** 1 − ⟨u,v⟩ / ‖u‖‖v‖, `[N]`: 0 for the same direction, 2 for the opposite. */
export function cosine(b: GraphBuilder, u: Value, v: Value): Value {
  const product = b.reduce('Sum', b.mul(unit(b, u), unit(b, v)), [1], false);
  return b.sub(b.scalar(1, product), product);
}

/** ‖u/‖u‖ − v/‖v‖‖₂, `[N]`: the chord between directions. */
export function chord(b: GraphBuilder, u: Value, v: Value): Value {
  return b.reduce('L2', b.sub(unit(b, u), unit(b, v)), [1], false);
}

/**
 * 2 asin²(chord/2), `[N]`: half the squared angle between directions, in radians. It is the
 * spherical distance of CLIP-guided diffusion (Crowson 2021).
 */
export function spherical(b: GraphBuilder, u: Value, v: Value): Value {
  const half = b.scale(chord(b, u, v), 0.5);
  const angle = b.op('Asin', [half]);
  return b.scale(b.mul(angle, angle), 2);
}

/** Each vector at length 1, `[N,D]`. */
function unit(b: GraphBuilder, x: Value): Value {
  const vector = flat(b, x);
  const norm = b.reduce('L2', vector, [1]);
  return b.div(vector, b.op('Max', [norm, b.scalar(tiny, norm)]));
}
