/** The kinds of losses through a network: what is taken from its layers, and how it is compared. */
import { UserError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { showShape, sizeOf } from '../tensor/tensor.ts';
import { chord, cosine, flat, l2, rms, spherical } from './distances.ts';
import type { Comparison } from './compared.ts';
import { resample } from './preprocessing.ts';

const directions = { cosine, l2: chord, spherical } as const;
/** Between embeddings, whose length counts for nothing: 1 − cos, the chord, half the squared angle. */
export type Direction = keyof typeof directions;

/**
 * Embeddings of identity, as of ArcFace (Deng et al. 2019), or of image and text, as of CLIP
 * (Radford et al. 2021). FreeDoM and DSG take `l2` of unit vectors for faces.
 */
export function embedding(direction: Direction): Comparison {
  return {
    name: `embedding-${direction}`,
    describe: (b, layers) => layers.map((layer) => flat(b, layer)),
    distance: total(directions[direction]),
  };
}

/** How far the layers' values are off in the root mean square, added up (Gatys et al. 2016, content). */
export const features: Comparison = {
  name: 'features',
  describe: (_, layers) => [...layers],
  distance: total(rms),
};

/**
 * Gram matrices of layers `[N,C,H,W]`, or of tokens `[N,L,C]`: G = F Fᵀ/M over M positions, which
 * may be more or fewer than the target's. They are compared by ‖G − G*‖/C (Gatys et al. 2016,
 * equations 3 and 4, by the root of what they square, as FreeDoM and DSG do).
 * @param skip tokens at the front that are left out, as a class token
 */
export function style(skip = 0): Comparison {
  return {
    name: `style-${skip}`,
    describe: (b, layers) => layers.map((layer) => gram(b, layer, skip)),
    distance: total(rms),
  };
}

/**
 * The mean over pixels of −log softmax(logits)[label]. Logits `[N,K,h,w]` are brought to the size
 * of the label map, bilinear, as they are when masks are made of them.
 * Wanted are labels `[N,H,W]` of 0 to K−1; pixels of a negative label do not count.
 */
export const crossEntropy: Comparison = {
  name: 'cross-entropy',
  describe: (_, layers) => layers.map(logits),
  distance: ofOne((b, found, wanted) => {
    const [n = 1, height = 0, width = 0] = wanted.shape;
    const scores = b.op('LogSoftmax', [resample(b, found, { height, width }, 'bilinear')], {
      axis: 1,
    });
    const counted = b.op('GreaterOrEqual', [wanted, b.scalar(0, wanted)]);
    const weight = b.cast(counted, 'float32');
    const label = b.cast(b.op('Max', [wanted, b.scalar(0, wanted)]), 'int64');
    const index = b.reshape(label, [n, 1, height, width]);
    const chosen = b.reshape(b.op('GatherElements', [scores, index], { axis: 1 }), wanted.shape);
    const sum = b.reduce('Sum', b.mul(chosen, weight), [1, 2], false);
    const pixels = b.reduce('Sum', weight, [1, 2], false);
    return b.neg(b.div(sum, b.op('Max', [pixels, b.scalar(1, pixels)])));
  }),
};

/** ‖logits − logits*‖₂ to those of another image (FreeDoM, face parsing). */
export const logitDistance: Comparison = {
  name: 'logit-distance',
  describe: (_, layers) => layers.map(logits),
  distance: total(l2),
};

/** The network's own number for each image. */
export const scalar: Comparison = {
  name: 'scalar',
  describe: (b, layers) => layers.map((layer) => oneNumber(b, layer)),
  distance: (b, found) => found.reduce((sum, value) => b.add(sum, value)),
};

type Distance = (b: GraphBuilder, found: Value, wanted: Value) => Value;

function total(distance: Distance): Comparison['distance'] {
  return (b, found, wanted) => {
    const terms = found.map((value, i) => distance(b, value, targetOf(wanted, i)));
    return terms.reduce((sum, term) => b.add(sum, term));
  };
}

function ofOne(distance: Distance): Comparison['distance'] {
  return (b, found, wanted) => distance(b, found[0] as Value, targetOf(wanted, 0));
}

function targetOf(wanted: readonly Value[], i: number): Value {
  const target = wanted[i];
  if (!target) throw new Error(`loss: no target ${i}`);
  return target;
}

function gram(b: GraphBuilder, layer: Value, skip: number): Value {
  const [n = 1, c = 0, ...rest] = layer.shape;
  if (layer.shape.length === 4) return products(b, b.reshape(layer, [n, c, sizeOf(rest)]));
  if (layer.shape.length !== 3)
    throw new UserError(
      `${showShape(layer.shape)}: Gram matrices are of [N,C,H,W], or of tokens [N,L,C]`,
      { hint: 'choose another layer' },
    );
  const tokens =
    skip === 0 ? layer : b.op('Slice', [layer, b.ints([skip]), b.ints([c]), b.ints([1])]);
  return products(b, b.transpose(tokens, [0, 2, 1]));
}

/** F Fᵀ/M of `[N,C,M]`. */
function products(b: GraphBuilder, f: Value): Value {
  const scaled = b.scale(f, 1 / Math.sqrt(f.shape[2] ?? 1));
  return b.matMul(scaled, b.transpose(scaled, [0, 2, 1]));
}

function logits(layer: Value): Value {
  if (layer.shape.length === 4 && (layer.shape[1] ?? 0) > 1) return layer;
  throw new UserError(`${showShape(layer.shape)}, expected logits [N,classes,h,w]`, {
    hint: 'name the output that holds the logits: layers=NAME',
  });
}

function oneNumber(b: GraphBuilder, layer: Value): Value {
  const [n = 1, ...rest] = layer.shape;
  if (sizeOf(rest) === 1) return b.reshape(layer, [n]);
  throw new UserError(`${showShape(layer.shape)}: a loss is one number for each image`, {
    hint: 'name a scalar output with layers=NAME, or choose a kind of loss that compares values',
  });
}
