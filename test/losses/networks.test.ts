/** Losses through exports of real networks: the slope along the gradient is its length. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lossGraph, ports } from '../../src/guided/guided.ts';
import { comparedLoss, targetGraph, type View } from '../../src/losses/compared.ts';
import { embedding, features, style } from '../../src/losses/comparisons.ts';
import { lossesAt } from '../../src/losses/loss.ts';
import type { LossNetwork } from '../../src/losses/network.ts';
import type { Preprocessing } from '../../src/losses/preprocessing.ts';
import { exposeValues } from '../../src/onnx/expose.ts';
import { readModel } from '../../src/onnx/read.ts';
import { modelInputs } from '../../src/onnx/skeleton.ts';
import { norms } from '../../src/pipeline/loss-spec.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { openGraph } from '../../src/session/session.ts';
import { imageNorms, stack } from '../../src/tensor/batch.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { testData } from '../helpers/data.ts';
import { randomTensor } from '../helpers/random.ts';

const folder = testData('vjp');

/** Resolved at a batch of two, as some of them were exported. */
function network(file: string, layers: readonly string[]): LossNetwork {
  return {
    name: file,
    digest: file,
    at: async ([shape = []]) => {
      const model = exposeValues(await readModel(join(folder ?? '', file)), layers);
      const [image] = modelInputs(model);
      return resolveGraph(model, { shapes: { [image?.name ?? '']: shape } });
    },
  };
}

interface Row {
  readonly file: string;
  readonly layers: readonly string[];
  readonly side: number;
  readonly comparison: View['comparison'];
  readonly targets: readonly Tensor[];
  readonly preprocessing?: Partial<Preprocessing>;
}

const rows: Record<string, Row> = {
  'text, CLIP': {
    file: 'clip_vision/ts_d.onnx',
    layers: ['out'],
    side: 48,
    comparison: embedding('spherical'),
    targets: [randomTensor('embedding', [16])],
    preprocessing: { size: { height: 32, width: 32 }, resize: 'bicubic', ...norms.clip },
  },
  'style, CLIP tokens': {
    file: 'clip_vision/ts_d.onnx',
    layers: ['/vision_model/encoder/layers.0/Add_1_output_0'],
    side: 32,
    comparison: style(1),
    targets: [],
  },
  'features and intermediate values, VGG': {
    file: 'vgg16_features/dy_s.onnx',
    layers: ['f1', 'conv2d_3'],
    side: 32,
    comparison: features,
    targets: [randomTensor('f1', [16, 32, 32]), randomTensor('conv', [32, 16, 16])],
    preprocessing: norms.imagenet,
  },
};

const plain: Preprocessing = { resize: 'area', range: '[-1,1]', mean: [0], std: [1] };

describe.skipIf(!folder)('through', () => {
  test.each(Object.entries(rows))('%s', async (_, row) => {
    const { file, layers, side, comparison, preprocessing } = row;
    const view: View = {
      network: network(file, layers),
      layers,
      comparison,
      preprocessing: { ...plain, ...preprocessing },
    };
    const shape = [2, 3, side, side];
    let { targets } = row;
    if (targets.length === 0) {
      const out = await openGraph(await targetGraph(view, shape.slice(1)));
      const found = await out.run({ image: randomTensor('target', [1, ...shape.slice(1)]) });
      targets = Object.values(found).map(({ shape: s, data }) => tensor(s.slice(1), data));
      await out.release();
    }
    const losses = await lossesAt([comparedLoss(view, targets)], shape);
    const session = await openGraph(lossGraph(losses, shape));
    const given = Object.fromEntries(
      targets.map((t, i) => [ports.lossParameter(0, `target.${i}`), stack([t, t])]),
    );
    const images = randomTensor('images', shape);
    const at = async (image: Tensor): Promise<Record<string, Tensor>> =>
      session.run({ ...given, [ports.image]: image });
    const { [ports.gradient]: gradient } = await at(images);
    const lengths = imageNorms(gradient as Tensor);
    // Far enough that float32 tells the losses apart, near enough that they are straight.
    const step = 0.05;
    const along = (steps: number): Promise<Record<string, Tensor>> => {
      const size = 3 * side * side;
      const data = images.data.map((v, i) => {
        return v + (steps * step * gradient!.data[i]!) / lengths[Math.floor(i / size)]!;
      });
      return at(tensor(shape, data));
    };
    const [far, near, back, farBack] = await Promise.all([2, 1, -1, -2].map(along));
    for (const image of [0, 1]) {
      const of = (out: Record<string, Tensor> | undefined): number =>
        out?.[ports.loss]?.data[image] ?? NaN;
      const slope = (8 * (of(near) - of(back)) - (of(far) - of(farBack))) / (12 * step);
      expect(slope / lengths[image]!).toBeCloseTo(1, 2);
    }
    await session.release();
  });
});
