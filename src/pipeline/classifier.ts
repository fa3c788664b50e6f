/** A classifier that the user brings, of noisy images or of clean ones. */
import path from 'node:path';
import { differentiate } from '../autodiff/differentiate.ts';
import { UserError } from '../errors.ts';
import type { Stamps } from '../files/stamp.ts';
import type { ClassifierNetwork } from '../guided/classifier.ts';
import { showDims, type ModelInput } from '../onnx/dims.ts';
import { isFloat } from '../onnx/dtype.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { resolveGraph } from '../session/resolve.ts';
import { showShape } from '../tensor/tensor.ts';
import { contentOf, readStamped } from './content.ts';
import { affine } from '../losses/preprocessing.ts';
import { readFeatureCard, type FeatureCard } from './feature-card.ts';

export interface Classifier {
  readonly file: string;
  readonly onnx: OnnxModel;
  /** Of its files, as they were when it was read. */
  readonly stamps: Stamps;
  /** SHA-256 of each file that it consists of, its own first. */
  readonly content: readonly string[];
  readonly card: FeatureCard;
  readonly image: ModelInput;
  /** There is one in a classifier of noisy images, p(c|x_t); without it, it is one of x̂₀. */
  readonly timestep: ModelInput | undefined;
  readonly logits: string;
}

/** Classifier guidance: Dhariwal & Nichol, Diffusion Models Beat GANs (2021), algorithm 2. */
export interface ClassifierGuidance {
  readonly classifier: Classifier;
  /** 0 to the number of its classes, exclusive. */
  readonly class: number;
  /** s of ε̂ = ε − √(1−ᾱ) s ∇ log p(c|x_t). */
  readonly scale: number;
}

/**
 * Reads a classifier and what `NAME.features.json` beside it says of its input.
 * @param overrides fields that count more than that file's
 * @throws UserError for a file that takes no image, or more than an image and a timestep
 */
export async function loadClassifier(
  file: string,
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<Classifier> {
  const { onnx, stamps } = await readStamped(file);
  const card = await readFeatureCard(file, overrides);
  const inputs = modelInputs(onnx);
  const all = inputs.map((i) => `${i.name} ${showDims(i)}`).join(', ');
  const image = inputs.find((i) =>
    card.inputs?.x === undefined
      ? isFloat(i.dtype) && i.shape.length === 4
      : i.name === card.inputs.x,
  );
  if (image?.shape.length !== 4)
    throw new UserError(`${file}: no classifier of images: it takes ${all || 'nothing'}`, {
      hint: 'a classifier takes an image [N,C,H,W], and a timestep if it knows noisy ones',
    });
  const wanted = card.inputs?.timestep;
  const timestep = inputs.find((i) =>
    wanted === undefined ? i !== image && i.shape.length <= 1 : i.name === wanted,
  );
  if (wanted !== undefined && !timestep)
    throw new UserError(`${file}: no input '${wanted}'; it takes ${all}`);
  const others = inputs.filter((i) => i !== image && i !== timestep);
  if (others.length > 0)
    throw new UserError(
      `${file}: a classifier takes an image and perhaps a timestep; this one takes ${all}`,
    );
  const outputs = (onnx.proto.graph?.output ?? []).map((o) => o.name);
  const logits = card.output ?? outputs[0] ?? '';
  if (!outputs.includes(logits))
    throw new UserError(`${file}: no output '${logits}'; there are: ${outputs.join(', ')}`);
  const content = await contentOf({ file, onnx, stamps });
  return { file, onnx, stamps, content, card, image, timestep, logits };
}

/**
 * A classifier for images of a shape.
 * @param shape `[N,C,H,W]`
 * @throws UserError for images that it does not take, or a class that it does not have
 */
export async function classifierAt(
  { file, onnx, content, card, image, timestep, logits }: Classifier,
  label: number,
  shape: readonly number[],
): Promise<ClassifierNetwork> {
  const [n = 1, channels = 0] = shape;
  const [batch] = image.shape;
  if (typeof batch === 'number' && batch !== n)
    throw new UserError(`${file}: takes batches of ${batch} only, and ${n} images are sampled`, {
      hint: `add --batch ${batch}, or export it with an open batch axis`,
    });
  if (image.shape.some((d, axis) => typeof d === 'number' && d !== shape[axis]))
    throw new UserError(
      `${file}: '${image.name}' takes ${showDims(image)}, the images are ${showShape(shape)}`,
      { hint: 'export the classifier with the resizing that it wants in its graph' },
    );
  const first = timestep?.shape[0];
  const dims = typeof first === 'string' ? { [first || `${timestep?.name}.0`]: n } : {};
  const resolved = await resolveGraph(onnx, { dims, shapes: { [image.name]: shape } });
  const graph = { ...resolved, name: path.basename(file) };
  const found = graph.values.get(logits);
  if (found?.shape.length !== 2 || found.shape[0] !== n)
    throw new UserError(
      `${file}: '${logits}' is ${showShape(found?.shape ?? [])}, expected the logits of ${n} images, [${n},K]`,
      { hint: 'another output can be named: --classifier-card output=NAME' },
    );
  const classes = found.shape[1] as number;
  if (!Number.isInteger(label) || label < 0 || label >= classes)
    throw new UserError(`${file}: class ${label} is not one of its ${classes}`, {
      hint: `give an integer from 0 to ${classes - 1}`,
    });
  // Whether it can be differentiated is better said of it alone than of the graph it goes into.
  differentiate(graph, { output: logits, wrt: image.name });
  const { gain, offset } = affine(card);
  // Cards are of colours; images of another kind take what the last says.
  const each = (values: readonly number[]): number[] =>
    Array.from({ length: channels }, (_, c) => values[Math.min(c, values.length - 1)] as number);
  return {
    graph,
    digest: content.join(),
    inputs: { image: image.name, timestep: timestep?.name },
    logits,
    gain: each(gain),
    offset: each(offset),
  };
}
