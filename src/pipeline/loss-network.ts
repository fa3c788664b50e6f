/** Networks for losses: ONNX files, resolved at the sizes at which they are needed. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import type { LossNetwork } from '../losses/network.ts';
import { showDims, type ModelInput } from '../onnx/dims.ts';
import { isFloat } from '../onnx/dtype.ts';
import { exposeValues } from '../onnx/expose.ts';
import type { Graph } from '../onnx/graph.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { resolveGraph } from '../session/resolve.ts';
import { showShape } from '../tensor/tensor.ts';
import { findFeatureCard, type FeatureCard } from './feature-card.ts';
import { contentOf, readStamped, refuseMixed } from './content.ts';

export interface LoadedNetwork extends LossNetwork {
  readonly file: string;
  /** SHA-256 of each file that it consists of, its own first. */
  readonly content: readonly string[];
  readonly layers: readonly string[];
  readonly inputs: readonly ModelInput[];
  /** Height and width of the images, where the file fixes them. */
  readonly fixed: { readonly height: number; readonly width: number } | undefined;
  /** What lies beside it. */
  readonly card: FeatureCard | undefined;
}

/** Reads networks, each file once: losses through the same one are losses of one graph. */
export interface LossNetworks {
  /**
   * @param choose the layers, of the names of its outputs
   * @throws UserError for a file that is no network of images, or a layer that it does not have
   */
  load(
    file: string,
    choose: (outputs: readonly string[]) => readonly string[],
  ): Promise<LoadedNetwork>;
}

export function lossNetworks(): LossNetworks {
  const files = new Map<string, ReturnType<typeof openFile>>();
  return {
    async load(file, choose) {
      const key = path.resolve(file);
      const opened = files.get(key) ?? openFile(file);
      files.set(key, opened);
      return (await opened)(choose);
    },
  };
}

/** A file, of which losses choose layers before any of them asks for its graph. */
async function openFile(
  file: string,
): Promise<(choose: Parameters<LossNetworks['load']>[1]) => LoadedNetwork> {
  const { onnx, stamps } = await readStamped(file);
  const inputs = modelInputs(onnx);
  const [image] = inputs;
  if (!image || image.shape.length !== 4 || !isFloat(image.dtype))
    throw new UserError(
      `${file}: the first input of a loss's network is an image [N,C,H,W], ${image ? `'${image.name}' is ${image.dtype} ${showDims(image)}` : 'and it has no input'}`,
    );
  const [, , height, width] = image.shape;
  const chosen = new Set<string>();
  const resolved = new Map<string, Promise<Graph>>();
  const content = await contentOf({ file, onnx, stamps });
  const common = {
    name: path.basename(file),
    digest: content.join(),
    content,
    file,
    inputs,
    fixed: typeof height === 'number' && typeof width === 'number' ? { height, width } : undefined,
    card: await findFeatureCard(file),
    async at(shapes: readonly (readonly number[])[]): Promise<Graph> {
      const key = shapes.join(';');
      const known = resolved.get(key) ?? resolveAt(exposeValues(onnx, [...chosen]), inputs, shapes);
      resolved.set(key, known);
      const graph = await known;
      // Weights beside the file are read by whoever derives from it, which may be hours later.
      await refuseMixed({ file, onnx, stamps });
      return graph;
    },
  };
  const outputs = (onnx.proto.graph?.output ?? []).map((o) => o.name);
  return (choose) => {
    const layers = choose(outputs);
    exposeValues(onnx, layers);
    for (const layer of layers) chosen.add(layer);
    return { ...common, layers };
  };
}

async function resolveAt(
  model: OnnxModel,
  inputs: readonly ModelInput[],
  shapes: readonly (readonly number[])[],
): Promise<Graph> {
  const { where } = model;
  const named = inputs.map((i) => `'${i.name}'`).join(', ');
  if (inputs.length !== shapes.length)
    throw new UserError(
      shapes.length === 1
        ? `${where}: it takes ${inputs.length} inputs, ${named}, and this loss feeds the image alone`
        : `${where}: it takes ${inputs.length} inputs, ${named}, and is to be fed image and target`,
      {
        hint:
          shapes.length === 1
            ? 'a network of image and target is an onnx loss'
            : 'leave out the target',
      },
    );
  const single = inputs[0]?.shape[0] === 1;
  const fitted = inputs.map((input, i) => {
    const [n = 1, ...rest] = shapes[i] ?? [];
    const shape = [single ? 1 : n, ...rest];
    const fits =
      input.shape.length === shape.length &&
      input.shape.every((d, axis) => typeof d !== 'number' || d === shape[axis]);
    if (!fits) throw misfit(where, input, shape, i === 0);
    return [input.name, shape] as const;
  });
  const graph = await resolveGraph(model, { shapes: Object.fromEntries(fitted) });
  return { ...graph, name: path.basename(where) };
}

function misfit(
  where: string,
  { name, shape }: ModelInput,
  wanted: readonly number[],
  isImage: boolean,
): UserError {
  const [, channels, height, width] = shape;
  const sized = typeof height === 'number' && typeof width === 'number';
  const message = `${where}: input '${name}' takes ${showDims({ shape })}, ${isImage ? 'the image' : 'the target'} is ${showShape(wanted)}`;
  if (!isImage) return new UserError(message);
  if (typeof channels === 'number' && channels !== wanted[1]) return new UserError(message);
  return new UserError(message, sized ? { hint: `resize it: size=${width}x${height}` } : {});
}
