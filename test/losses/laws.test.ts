/** What every loss obeys: its value in closed form, its gradient by differences, each image alone. */
import { describe, expect, it } from 'vitest';
import { lossGraph, ports } from '../../src/guided/guided.ts';
import { colorGrid, colorPalette } from '../../src/losses/color.ts';
import { comparedLoss, type View } from '../../src/losses/compared.ts';
import {
  crossEntropy,
  embedding,
  features,
  logitDistance,
  scalar,
  style,
} from '../../src/losses/comparisons.ts';
import { lossesAt, weighted, type Loss } from '../../src/losses/loss.ts';
import type { Preprocessing } from '../../src/losses/preprocessing.ts';
import { openGraph } from '../../src/session/session.ts';
import { imageAt, stack } from '../../src/tensor/batch.ts';
import { noiseKey, uniforms } from '../../src/tensor/noise.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { randomTensor, relativeError, dot } from '../helpers/random.ts';
import { linear, mixed, networkOf, weights } from './networks.ts';
import { resamplingMatrix } from '../../src/tensor/filter.ts';

const plain: Preprocessing = { resize: 'area', range: '[-1,1]', mean: [0], std: [1] };
const shape = [3, 6, 8] as const;
const [C, H, W] = shape;
const clip = { mean: [0.48, 0.46, 0.41], std: [0.27, 0.26, 0.28] };

interface Case {
  readonly loss: Loss | readonly Loss[];
  /** In float64, of an image `[C,H,W]`. */
  readonly expected: (image: readonly number[]) => number;
}

const given = (name: string, dims: readonly number[]): Tensor => randomTensor(name, dims);
const list = ({ data }: Tensor): number[] => [...data];
const norm = (v: readonly number[]): number => Math.hypot(...v);
const minus = (a: readonly number[], b: readonly number[]): number[] =>
  a.map((v, i) => v - (b[i] ?? NaN));
const rms = (a: readonly number[], b: readonly number[]): number =>
  norm(minus(a, b)) / Math.sqrt(a.length);
const unit = (v: readonly number[]): number[] => v.map((x) => x / norm(v));
const product = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((s, v, i) => s + v * (b[i] ?? NaN), 0);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
/** w x of rows. */
const times = (w: ArrayLike<number>, x: readonly number[], rows: number): number[] =>
  range(rows).map((i) => product(Array.from(w).slice(i * x.length, (i + 1) * x.length), x));
const channel = (image: readonly number[], c: number): number[] =>
  image.slice(c * H * W, (c + 1) * H * W);

/** Each pixel's channels mixed, channel by channel. */
function mix(image: readonly number[], to: number): number[] {
  const w = weights('mixed', [to, C]);
  return range(to).flatMap((k) =>
    range(H * W).map((p) =>
      range(C).reduce((s, c) => s + w[k * C + c]! * channel(image, c)[p]!, 0),
    ),
  );
}

function gram(f: readonly number[], channels: number): number[] {
  const m = f.length / channels;
  const row = (i: number): number[] => f.slice(i * m, (i + 1) * m);
  return range(channels).flatMap((i) => range(channels).map((j) => product(row(i), row(j)) / m));
}

const embedder = networkOf('embedder', (b, [x]) => ({ e: linear(b, x!, 5) }));
const wanted = given('embedding', [5]);
const embeddingCase = (
  direction: 'cosine' | 'l2' | 'spherical',
  expected: (cos: number) => number,
): Case => ({
  loss: comparedLoss(
    { network: embedder, preprocessing: plain, comparison: embedding(direction) },
    [wanted],
  ),
  expected: (image) => {
    const e = times(weights('linear', [5, C * H * W]), image, 5);
    return expected(product(unit(e), unit(list(wanted))));
  },
});

/** Crop to 4×4 from (3,1), then mean of 2×2, range [0,1], mean and std. */
const preprocessing: Preprocessing = {
  crop: { left: 3, top: 1, width: 4, height: 4 },
  size: { height: 2, width: 2 },
  resize: 'area',
  range: '[0,1]',
  ...clip,
};
function preprocessed(image: readonly number[]): number[] {
  return range(C).flatMap((c) =>
    range(4).map((cell) => {
      const [y, x] = [1 + 2 * Math.floor(cell / 2), 3 + 2 * (cell % 2)];
      const at = (dy: number, dx: number): number => channel(image, c)[(y + dy) * W + x + dx]!;
      const mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
      return ((mean + 1) / 2 - clip.mean[c]!) / clip.std[c]!;
    }),
  );
}

const layered = networkOf('layered', (b, [x]) => {
  const a = mixed(b, x!, 4);
  return { a, b: b.op('Tanh', [a]) };
});
const tokens = networkOf('tokens', (b, [x]) => {
  const flat = b.reshape(mixed(b, x!, 4), [x!.shape[0]!, 4, H * W]);
  return { tokens: b.transpose(flat, [0, 2, 1]) };
});
const segmenter = networkOf('segmenter', (b, [x]) => ({
  logits: b.op('AveragePool', [mixed(b, x!, 4)], { kernel_shape: [2, 2], strides: [2, 2] }),
}));
/** −1 is a pixel that does not count. */
const labels = tensor(
  [H, W],
  Float32Array.from({ length: H * W }, (_, i) => ((i * 7) % 5) - 1),
);

function pooled(f: readonly number[], channels: number): number[] {
  return range(channels).flatMap((k) =>
    range((H / 2) * (W / 2)).map((p) => {
      const [y, x] = [2 * Math.floor(p / (W / 2)), 2 * (p % (W / 2))];
      const at = (dy: number, dx: number): number => f[(k * H + y + dy) * W + x + dx]!;
      return (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
    }),
  );
}

function enlarged(f: readonly number[]): number[] {
  const [rows, columns] = [
    resamplingMatrix(H / 2, H, 'bilinear'),
    resamplingMatrix(W / 2, W, 'bilinear'),
  ];
  return range(H * W).map((p) => {
    const [y, x] = [Math.floor(p / W), p % W];
    return range(f.length).reduce((s, q) => {
      const [i, j] = [Math.floor(q / (W / 2)), q % (W / 2)];
      return s + rows.data[(y * H) / 2 + i]! * columns.data[(x * W) / 2 + j]! * f[q]!;
    }, 0);
  });
}

const single = networkOf('single', (b, [x]) => ({
  out: b.reduce('Sum', b.mul(x!, x!), [1, 2, 3]),
}));
const judge = networkOf('judge', (b, [x, t]) => ({
  out: b.reduce('Mean', b.mul(x!, b.mul(x!, t!)), [1, 2, 3], false),
}));

const see = (view: Partial<View> & Pick<View, 'comparison'>): View => ({
  preprocessing: plain,
  ...view,
});
const fourChannels = given('content', [4, H, W]);
const gramTarget = given('gram', [4, 4]);
const cells = given('cells', [C, 2, 2]);
const moments = given('moments', [C, 1 + C]);
const featureLoss = comparedLoss(
  see({ network: layered, layers: ['b', 'a'], comparison: features }),
  [fourChannels, given('other', [4, H, W])],
);
const featureValue = (image: readonly number[]): number =>
  rms(mix(image, 4).map(Math.tanh), list(fourChannels)) +
  rms(mix(image, 4), list(given('other', [4, H, W])));
const styleLoss = comparedLoss(see({ network: layered, layers: ['a'], comparison: style() }), [
  gramTarget,
]);
const styleValue = (image: readonly number[]): number =>
  rms(gram(mix(image, 4), 4), list(gramTarget));

const cases: Record<string, Case> = {
  'identity, cosine': embeddingCase('cosine', (cos) => 1 - cos),
  'identity, l2': embeddingCase('l2', (cos) => Math.sqrt(2 - 2 * cos)),
  'text, spherical': embeddingCase('spherical', (cos) => Math.acos(cos) ** 2 / 2),
  'crop, resize and normalisation': {
    loss: comparedLoss(see({ network: embedder, preprocessing, comparison: embedding('l2') }), [
      wanted,
    ]),
    expected: (image) => {
      const e = times(weights('linear', [5, 12]), preprocessed(image), 5);
      return norm(minus(unit(e), unit(list(wanted))));
    },
  },
  'features of two layers': { loss: featureLoss, expected: featureValue },
  'style of a layer': { loss: styleLoss, expected: styleValue },
  'style of tokens, the first left out': {
    loss: comparedLoss(see({ network: tokens, comparison: style(1) }), [gramTarget]),
    expected: (image) => {
      const f = mix(image, 4);
      const kept = range(4).flatMap((k) => f.slice(k * H * W + 1, (k + 1) * H * W));
      return rms(gram(kept, 4), list(gramTarget));
    },
  },
  'segmentation, labels': {
    loss: comparedLoss(see({ network: segmenter, comparison: crossEntropy }), [labels]),
    expected: (image) => {
      const logits = pooled(mix(image, 4), 4);
      const size = (H / 2) * (W / 2);
      const large = range(4).map((k) => enlarged(logits.slice(k * size, (k + 1) * size)));
      const counted = range(H * W).filter((p) => labels.data[p]! >= 0);
      const terms = counted.map((p) => {
        const sum = range(4).reduce((s, k) => s + Math.exp(large[k]![p]!), 0);
        return Math.log(sum) - large[labels.data[p]!]![p]!;
      });
      return terms.reduce((s, v) => s + v, 0) / counted.length;
    },
  },
  'segmentation, logits': {
    loss: comparedLoss(see({ network: segmenter, comparison: logitDistance }), [
      given('logits', [4, H / 2, W / 2]),
    ]),
    expected: (image) =>
      norm(minus(pooled(mix(image, 4), 4), list(given('logits', [4, H / 2, W / 2])))),
  },
  'colour on a grid': {
    loss: comparedLoss(see({ comparison: colorGrid(2) }), [cells]),
    expected: (image) => {
      const means = range(C * 4).map((i) => {
        const [c, y, x] = [Math.floor(i / 4), Math.floor((i % 4) / 2), i % 2];
        const cell = range(12).map((p) => {
          const [dy, dx] = [Math.floor(p / 4), p % 4];
          return channel(image, c)[(3 * y + dy) * W + 4 * x + dx]!;
        });
        return cell.reduce((s, v) => s + v, 0) / 12;
      });
      return rms(means, list(cells));
    },
  },
  'colour as a palette': {
    loss: comparedLoss(see({ comparison: colorPalette }), [moments]),
    expected: (image) => {
      const m = H * W;
      const means = range(C).map((c) => channel(image, c).reduce((s, v) => s + v, 0) / m);
      const target = (i: number, j: number): number => moments.data[i * (1 + C) + j]!;
      const covariance = range(C * C).map((k) => {
        const [i, j] = [Math.floor(k / C), k % C];
        const centred = (c: number): number[] => channel(image, c).map((v) => v - means[c]!);
        return product(centred(i), centred(j)) / m - target(i, 1 + j);
      });
      return norm(range(C).map((c) => means[c]! - target(c, 0))) + norm(covariance);
    },
  },
  "a network's own number": {
    loss: comparedLoss(see({ network: single, comparison: scalar }), []),
    expected: (image) => product(image, image),
  },
  "a network's own number, of image and target": {
    loss: comparedLoss(
      see({ network: judge, comparison: scalar }),
      [given('target', [C, H, W])],
      true,
    ),
    expected: (image) =>
      product(
        image.map((v) => v * v),
        list(given('target', [C, H, W])),
      ) / image.length,
  },
  'a weighted sum': {
    loss: [weighted(featureLoss, 0.5), weighted(styleLoss, 3)],
    expected: (image) => 0.5 * featureValue(image) + 3 * styleValue(image),
  },
  'networks of different operator sets': {
    loss: [
      styleLoss,
      comparedLoss(
        see({
          network: networkOf('newer', (b, [x]) => ({ e: linear(b, x!, 5) }), { opset: 20 }),
          comparison: embedding('cosine'),
        }),
        [wanted],
      ),
    ],
    expected: (image) => styleValue(image) + cases['identity, cosine']!.expected(image),
  },
  'a network for one image at a time': {
    loss: comparedLoss(
      see({
        network: networkOf('one', (b, [x]) => ({ e: linear(b, x!, 5) }), { single: true }),
        comparison: embedding('cosine'),
      }),
      [wanted],
    ),
    expected: (image) => cases['identity, cosine']!.expected(image),
  },
};

/** Loss and gradient of images `[N,C,H,W]`, all with the same targets. */
async function evaluate({ loss }: Case, images: Tensor): Promise<Record<string, Tensor>> {
  const losses = 'signature' in loss ? [loss] : loss;
  const prepared = await lossesAt(losses, images.shape);
  const session = await openGraph(lossGraph(prepared, images.shape), { threads: 1 });
  const n = images.shape[0] ?? 1;
  const feeds: Record<string, Tensor> = { [ports.image]: images };
  losses.forEach(({ parameters }, i) => {
    for (const [name, value] of Object.entries(parameters))
      feeds[ports.lossParameter(i, name)] = stack(new Array<Tensor>(n).fill(value));
  });
  const out = await session.run(feeds);
  await session.release();
  return { loss: out[ports.loss] as Tensor, gradient: out[ports.gradient] as Tensor };
}

const images = randomTensor('images', [3, ...shape]);
images.data.forEach((v, i) => (images.data[i] = 0.5 * v));

describe.each(Object.entries(cases))('%s', (_, c) => {
  it('has the value of its closed form', async () => {
    const { loss } = await evaluate(c, images);
    expect(loss?.shape).toEqual([3]);
    for (const i of [0, 1, 2]) {
      const value = c.expected(list(imageAt(images, i)));
      expect(loss!.data[i]! / value).toBeCloseTo(1, 4);
    }
  });

  it('has the gradient of its closed form', async () => {
    const { gradient } = await evaluate(c, images);
    for (const i of [0, 1, 2]) {
      const image = list(imageAt(images, i));
      const coins = uniforms(noiseKey(i, 'direction'), 'step', 0, image.length);
      const direction = Array.from(coins, (u) => (u < 0.5 ? -1 : 1));
      const at = (step: number): number =>
        c.expected(image.map((v, k) => v + step * direction[k]!));
      const differences = (8 * (at(1e-4) - at(-1e-4)) - (at(2e-4) - at(-2e-4))) / 12e-4;
      const own = imageAt(gradient as Tensor, i);
      const derived = dot(own, tensor(own.shape, Float32Array.from(direction)));
      expect(Math.abs(derived - differences) / Math.sqrt(dot(own, own))).toBeLessThan(1e-4);
    }
  });

  it('is that of each image alone', async () => {
    const together = await evaluate(c, images);
    for (const i of [0, 1, 2]) {
      const alone = await evaluate(c, stack([imageAt(images, i)]));
      expect(together['loss']!.data[i]! / alone['loss']!.data[0]!).toBeCloseTo(1, 6);
      const [a, b] = [imageAt(together['gradient']!, i), imageAt(alone['gradient']!, 0)];
      expect(relativeError(a, b)).toBeLessThan(1e-5);
    }
  });
});
