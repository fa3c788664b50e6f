/** Rotary positions (Su et al. 2021, arXiv 2104.09864, eq. 34), as com.microsoft has them. */
import { floatAttr, intAttr } from '../attributes.ts';
import type { GraphBuilder } from '../builder.ts';
import type { Value } from '../graph.ts';
import { headsApart, headsTogether } from '../heads.ts';
import type { Standard } from './standard.ts';

/** Of x `[batch, length, heads · size]` or `[batch, heads, length, size]`, the first numbers of each head. */
const rotaryEmbedding: Standard = (b, v) => {
  const { node, x } = v;
  const [positions, cosines, sines] = [v.w, v.input(2) as Value, v.input(3) as Value];
  const ragged = intAttr(node, 'is_packed_batching', 0) === 1;
  if (ragged || floatAttr(node, 'scale', 1) !== 1) return undefined;
  const half = cosines.shape[1] as number;
  const packed = x.shape.length === 3;
  const length = x.shape[packed ? 1 : 2] as number;
  const width = x.shape.at(-1) as number;
  const count = intAttr(node, 'num_heads', 0);
  const size = !packed ? width : count > 0 ? width / count : 2 * half;

  const heads = packed ? headsApart(b, x, width / size) : x;
  const at = placesOf(b, positions, length);
  const table = (values: Value): Value => {
    const rows = b.op('Gather', [values, at], { axis: 0 });
    return b.reshape(rows, [rows.shape[0] as number, 1, length, half]);
  };
  const [turned, rest] = b.split(heads, size > 2 * half ? [2 * half, size - 2 * half] : [size], 3);
  const interleaved = intAttr(node, 'interleaved', 0) === 1;
  const rotated = rotate(b, turned as Value, [table(cosines), table(sines)], interleaved);
  const y = rest ? b.op('Concat', [rotated, rest], { axis: 3 }) : rotated;
  return [packed ? headsTogether(b, y) : y];
};

/** Positions of each image's tokens, `[batch or 1, length]`; one number is where they begin. */
function placesOf(b: GraphBuilder, positions: Value, length: number): Value {
  if (positions.shape.length === 2) return positions;
  return b.add(
    b.reshape(positions, [1, 1]),
    b.constant([...Array(length).keys()], 'int64', [1, length]),
  );
}

/** Pairs (u, w) turned: (u cos − w sin, u sin + w cos); pairs lie side by side, or in two halves. */
function rotate(
  b: GraphBuilder,
  x: Value,
  [cos, sin]: readonly [Value, Value],
  interleaved: boolean,
): Value {
  const { shape } = x;
  const half = (shape[3] as number) / 2;
  const axis = interleaved ? 4 : 3;
  const pairs = interleaved ? b.reshape(x, [...shape.slice(0, 3), half, 2]) : x;
  const [u, w] = b
    .parts(pairs, 2, axis)
    .map((part) => b.reshape(part, [...shape.slice(0, 3), half])) as [Value, Value];
  const turned = [b.sub(b.mul(u, cos), b.mul(w, sin)), b.add(b.mul(u, sin), b.mul(w, cos))].map(
    (part) => (interleaved ? b.reshape(part, [...shape.slice(0, 3), half, 1]) : part),
  );
  return b.reshape(b.op('Concat', turned, { axis }), shape);
}

export const rotary: Readonly<Record<string, Standard>> = { RotaryEmbedding: rotaryEmbedding };
