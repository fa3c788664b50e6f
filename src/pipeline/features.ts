/** Perceptual metrics through networks that the user brings. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import { readBytes } from '../files/read.ts';
import { sha256Of } from '../files/sha256.ts';
import { ranges } from '../losses/preprocessing.ts';
import { lpips } from '../metrics/lpips.ts';
import type { ModelInput } from '../onnx/dims.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { resolveGraph } from '../session/resolve.ts';
import { openGraph, type Session, type SessionOptions } from '../session/session.ts';
import { decodeNpy } from '../tensor/npy.ts';
import { showShape, tensor, type Tensor } from '../tensor/tensor.ts';
import { contentOf, readStamped, refuseMixed, type ReadModel } from './content.ts';
import { featureCardFile, readFeatureCard, type FeatureCard } from './feature-card.ts';

/** A perceptual distance of two images `[3,H,W]` in [-1,1]. */
export interface Perceptual {
  distance(a: Tensor, b: Tensor): Promise<number>;
  /** How it is computed, for the record. */
  readonly definition: string;
  /** SHA-256 of the files that it follows from: names do not tell one network from another. */
  readonly files: readonly string[];
  release(): Promise<void>;
}

/** Feature vectors `[D]` of images `[3,H,W]` in [-1,1]. */
export interface Extractor {
  vector(image: Tensor): Promise<Tensor>;
  readonly definition: string;
  readonly files: readonly string[];
  release(): Promise<void>;
}

/**
 * LPIPS by an ONNX graph: one with two image inputs and a scalar output, which is taken as it is;
 * or a feature network whose card names its layers and their weights.
 * @throws UserError for a network that is neither
 */
export async function openPerceptual(
  file: string,
  options: SessionOptions = {},
): Promise<Perceptual> {
  const network = await openNetwork(file, options);
  const { inputs, card, release } = network;
  const name = path.basename(file);
  if (inputs.length === 2)
    return {
      async distance(a, b) {
        const [value] = Object.values(await network.run([a, b]));
        if (value?.data.length !== 1)
          throw new UserError(
            `${file}: expected a scalar output, got ${showShape(value?.shape ?? [])}`,
          );
        return value.data[0] as number;
      },
      definition: `the scalar that ${name} gives for both images, ${network.scaling}`,
      files: network.files,
      release,
    };
  if (inputs.length !== 1 || !card.layers)
    throw new UserError(`${file}: no LPIPS network: it has ${inputs.length} inputs and no layers`, {
      hint: `export one with two image inputs and a scalar output, or name layers and weights in ${path.basename(featureCardFile(file))}`,
    });
  const { layers } = card;
  const read = await Promise.all(
    layers.map((l) => readWeights(path.join(path.dirname(file), l.weights))),
  );
  const weights = read.map((r) => r.weights);
  const features = async (image: Tensor): Promise<Tensor[]> => {
    const found = await network.run([image]);
    return layers.map(({ output }) => named(found, output, file));
  };
  return {
    distance: async (a, b) => lpips(await features(a), await features(b), weights),
    definition:
      `Zhang et al. 2018, equation 1, on ${layers.map((l) => l.output).join(', ')} of ${name}, ` +
      network.scaling,
    files: [...network.files, ...read.map((r) => r.sha256)],
    release,
  };
}

async function readWeights(file: string): Promise<{ weights: Tensor; sha256: string }> {
  const bytes = await readBytes(file);
  return { weights: decodeNpy(bytes, file), sha256: sha256Of(bytes) };
}

/**
 * Feature vectors for FID: an output `[1,D]`, or `[1,D,h,w]` of which the mean over positions is
 * taken. Images are not resized: that is part of the network's graph, since FID depends on how.
 */
export async function openExtractor(
  file: string,
  options: SessionOptions = {},
): Promise<Extractor> {
  const network = await openNetwork(file, options);
  const { card, release } = network;
  if (network.inputs.length !== 1)
    throw new UserError(`${file}: no feature network: it has ${network.inputs.length} inputs`);
  return {
    async vector(image) {
      const found = await network.run([image]);
      const output = card.output ?? (Object.keys(found)[0] as string);
      return positionMean(named(found, output, file), file);
    },
    definition: `Heusel et al. 2017, equation 6, on the vectors${card.output === undefined ? '' : ` '${card.output}'`} of ${path.basename(file)}, ${network.scaling}`,
    files: network.files,
    release,
  };
}

function positionMean({ shape, data }: Tensor, file: string): Tensor {
  const [n, D = 0] = shape;
  if (n !== 1 || shape.length < 2 || D === 0)
    throw new UserError(`${file}: expected features [1,D] or [1,D,h,w], got ${showShape(shape)}`);
  const area = data.length / D;
  const mean = Float32Array.from({ length: D }, (_, d) => {
    return data.subarray(d * area, (d + 1) * area).reduce((sum, v) => sum + v, 0) / area;
  });
  return tensor([D], mean);
}

interface Network {
  readonly card: FeatureCard;
  readonly inputs: readonly ModelInput[];
  /** The input scaling, in words. */
  readonly scaling: string;
  /** SHA-256 of its files. */
  readonly files: readonly string[];
  /** @param images one for each input */
  run(images: readonly Tensor[]): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

async function openNetwork(file: string, options: SessionOptions): Promise<Network> {
  const model = await readStamped(file);
  const card = await readFeatureCard(file);
  const inputs = modelInputs(model.onnx);
  // Images of one size is the rule; another size replaces the session.
  let current: { key: string; session: Session } | undefined;
  const sessionFor = async (image: Tensor): Promise<Session> => {
    const key = image.shape.join();
    if (current?.key === key) return current.session;
    await release();
    current = { key, session: await openAt({ file, ...model }, inputs, image.shape, options) };
    return current.session;
  };
  const release = async (): Promise<void> => {
    const { session } = current ?? {};
    current = undefined;
    await session?.release();
  };
  return {
    card,
    inputs,
    scaling: describeScaling(card),
    files: await contentOf({ file, ...model }),
    async run(images) {
      const session = await sessionFor(images[0] as Tensor);
      const feeds = inputs.map(({ name }, i) => [name, scaled(images[i] as Tensor, card)] as const);
      return session.run(Object.fromEntries(feeds));
    },
    release,
  };
}

async function openAt(
  model: ReadModel & { readonly file: string },
  inputs: readonly ModelInput[],
  image: readonly number[],
  options: SessionOptions,
): Promise<Session> {
  const shape = [1, ...image];
  const other = inputs.find(
    (i) =>
      i.shape.length !== 4 || i.shape.some((d, axis) => typeof d === 'number' && d !== shape[axis]),
  );
  if (other)
    throw new UserError(
      `${model.onnx.where}: input '${other.name}' takes ${showShape(other.shape)}, the image is ${showShape(shape)}`,
      { hint: 'export the network with its resizing in the graph: the metric depends on how' },
    );
  const shapes = Object.fromEntries(inputs.map(({ name }) => [name, shape]));
  // Images of another size come late, and the weights are read again for them.
  await refuseMixed(model);
  return openGraph(await resolveGraph(model.onnx, { shapes }), options);
}

/** An image clipped to [-1,1] as the network wants it, `[1,3,H,W]`. */
function scaled({ shape, data }: Tensor, { range, mean, std }: FeatureCard): Tensor {
  const { scale, shift } = ranges[range];
  const area = data.length / 3;
  const values = data.map((v, i) => {
    const c = Math.floor(i / area);
    const clipped = Math.min(1, Math.max(-1, v));
    return (scale * clipped + shift - (mean[c] as number)) / (std[c] as number);
  });
  return tensor([1, ...shape], values);
}

function describeScaling({ range, mean, std }: FeatureCard): string {
  const plain = mean.every((v) => v === 0) && std.every((v) => v === 1);
  return `images in ${range}${plain ? '' : `, less ${mean.join('/')}, divided by ${std.join('/')}`}`;
}

function named(found: Record<string, Tensor>, output: string, file: string): Tensor {
  const value = found[output];
  if (value) return value;
  throw new UserError(
    `${file}: no output '${output}'; there are: ${Object.keys(found).join(', ')}`,
  );
}
