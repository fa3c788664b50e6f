/** Normalizations over the last axis, with the sums that come before them. */
import { floatAttr, intAttr } from '../attributes.ts';
import type { GraphBuilder } from '../builder.ts';
import type { Value } from '../graph.ts';
import type { NodeView } from '../node-view.ts';
import { plus } from './activations.ts';
import type { Standard } from './standard.ts';

/** The schemas' own default; what is standard has 1e-5. */
const smallEpsilon = 1e-12;

/** x / √(mean x² + ε) times a scale (Zhang & Sennrich 2019, arXiv 1910.07467, eq. 4). */
function rootMeanSquare(b: GraphBuilder, x: Value, scale: Value, epsilon: number): Value {
  if (b.graph.opset >= 23) return b.op('RMSNormalization', [x, scale], { axis: -1, epsilon });
  const mean = b.reduce('Mean', b.mul(x, x), [x.shape.length - 1]);
  const root = b.op('Sqrt', [b.add(mean, b.scalar(epsilon, x))]);
  return b.mul(b.div(x, root), scale);
}

function layer(b: GraphBuilder, x: Value, v: [Value, Value | undefined], epsilon: number): Value {
  return b.op('LayerNormalization', [x, ...v], { axis: -1, epsilon });
}

/** The sum that is normalized is output 3; statistics, 1 and 2, are those of training. */
const written = (y: Value, sum: Value): readonly (Value | undefined)[] => [
  y,
  undefined,
  undefined,
  sum,
];

const epsilonOf = ({ node }: NodeView, otherwise: number): number =>
  floatAttr(node, 'epsilon', otherwise);

const skipLayer: Standard = (b, v) => {
  const sum = plus(b, b.add(v.x, v.w), v.input(4));
  const affine: [Value, Value | undefined] = [v.input(2) as Value, v.input(3)];
  return written(layer(b, sum, affine, epsilonOf(v, smallEpsilon)), sum);
};

const skipRootMeanSquare: Standard = (b, v) => {
  const sum = plus(b, b.add(v.x, v.w), v.input(3));
  return written(rootMeanSquare(b, sum, v.input(2) as Value, epsilonOf(v, smallEpsilon)), sum);
};

const simplifiedLayer: Standard = (b, v) => {
  const axis = intAttr(v.node, 'axis', -1);
  const last = axis === -1 || axis === v.x.shape.length - 1;
  return last ? [rootMeanSquare(b, v.x, v.w, epsilonOf(v, 1e-5))] : undefined;
};

/** Embeddings of words, their places and their segments, summed and normalized. */
const embedded: Standard = (b, v) => {
  const [ids, segments, positions] = [v.x, v.input(1), v.input(8)];
  const [words, places, kinds] = [2, 3, 4].map((slot) => v.input(slot));
  const [batch = 1, length = 1] = ids.shape;
  const places0 = positions ?? b.reshape(b.ints([...Array(length).keys()]), [1, length]);
  let sum = b.add(
    b.op('Gather', [words, ids], { axis: 0 }),
    b.op('Gather', [places, places0], { axis: 0 }),
  );
  if (segments && kinds) sum = b.add(sum, b.op('Gather', [kinds, segments], { axis: 0 }));
  const affine: [Value, Value | undefined] = [v.input(5) as Value, v.input(6)];
  const y = layer(b, sum, affine, epsilonOf(v, smallEpsilon));
  const mask = v.input(7);
  const lengths = mask
    ? b.reduce('Sum', mask, [1], false)
    : b.zeros({ dtype: 'int32', shape: [batch] });
  return [y, lengths, sum];
};

export const normalizations: Readonly<Record<string, Standard>> = {
  SkipLayerNormalization: skipLayer,
  SkipSimplifiedLayerNormalization: skipRootMeanSquare,
  SimplifiedLayerNormalization: simplifiedLayer,
  EmbedLayerNormalization: embedded,
};
