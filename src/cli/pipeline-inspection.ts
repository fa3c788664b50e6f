/** What there is to know of a latent pipeline before it is used: every part of its folder. */
import path from 'node:path';
import { activeNodes } from '../autodiff/gradients.ts';
import { obstacles, type Obstacle } from '../autodiff/obstacles.ts';
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import type { ModelInput } from '../onnx/dims.ts';
import type { Graph } from '../onnx/graph.ts';
import { initializerOf, weightsAmong } from '../onnx/initializer.ts';
import { opsetOf, readModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { canvasFor, refuseOtherSize, seenSize, usualSize, type Size } from '../pipeline/canvas.ts';
import { decoderFor, encoderFor } from '../pipeline/latent/autoencoder.ts';
import { estimatePipeline, type PipelineEstimate } from '../pipeline/latent/estimate.ts';
import { promptCondition } from '../pipeline/latent/prompt.ts';
import { graphFor, loadModel, type Model } from '../pipeline/model.ts';
import { openTokenizer } from '../text/tokenizer.ts';
import type { InspectValues } from './commands/inspect.ts';
import type { Io } from './io.ts';
import { cardOverrides } from './model-card.ts';
import { pipelinePage } from './pipeline-page.ts';

export interface PipelineInspection {
  readonly folder: string;
  readonly card: Card;
  readonly inferred: readonly string[];
  readonly warnings: readonly string[];
  readonly parts: readonly Part[];
  readonly tokenizer: { readonly tokens: number; readonly context: number } | null;
  readonly estimate?: PipelineEstimate;
}

export interface Part {
  readonly part: 'unet' | 'vae_decoder' | 'vae_encoder' | 'text_encoder';
  /** null for a part that the pipeline lacks and may do without. */
  readonly file: string | null;
  readonly opset?: number | null;
  readonly inputs?: readonly ModelInput[];
  readonly parameters?: { readonly count: number; readonly bytes: number };
  /** From its output to its input; not asked of the text network. */
  readonly gradient?: {
    readonly nodes: number;
    readonly possible: boolean;
    readonly obstacles: readonly Obstacle[];
  };
}

/** @returns the exit code */
export async function inspectPipeline(
  folder: string,
  values: InspectValues,
  io: Io,
): Promise<number> {
  if (values.check)
    throw new UserError(`${folder}: --check is for models of images, and this one makes latents`, {
      hint: 'leave out --check, and look at what dsg generate makes',
    });
  const { overrides, warnings } = await cardOverrides(values);
  const loaded = await loadModel(folder, overrides);
  const model = { ...loaded, warnings: [...warnings, ...loaded.warnings] };
  const found = await inspection(model, sizeFrom(values, model));
  const text = values.json ? `${JSON.stringify(found, undefined, 2)}\n` : pipelinePage(found, io);
  io.stdout.write(text);
  return 0;
}

function sizeFrom({ dim = {} }: InspectValues, model: Model): Size {
  const unknown = Object.keys(dim).find((name) => name !== 'height' && name !== 'width');
  if (unknown !== undefined)
    throw new UserError(`${model.file}: no open dimension '${unknown}'`, {
      hint: 'of a pipeline, --dim takes height and width of images, in pixels',
    });
  const size = { ...usualSize(model), ...dim };
  refuseOtherSize(model, size, '--dim');
  return canvasFor(model, size);
}

async function inspection(model: Model, size: Size): Promise<PipelineInspection> {
  const { file, card, inferred, warnings, parts } = model;
  const latents = seenSize(model, size);
  const told = card.text && (await promptCondition(model, { prompt: '' })).condition.given;
  const found = [
    await partOf('unet', parts?.unet, async () => ({
      graph: await graphFor(model, 1, size, told),
      from: card.inputs.x,
    })),
    await partOf('vae_decoder', parts?.decoder, async () =>
      whole((await decoderFor(model, 1, latents)).graph),
    ),
    await partOf('vae_encoder', parts?.encoder, async () =>
      whole(await encoderFor(model, 1, size)),
    ),
    await partOf('text_encoder', parts?.textEncoder),
  ];
  const tokenizer = parts?.tokenizer === undefined ? null : await openTokenizer(parts.tokenizer);
  const possible = found.every(({ gradient }) => gradient?.possible !== false);
  return {
    folder: file,
    card,
    inferred,
    warnings,
    parts: found,
    tokenizer: tokenizer && { tokens: tokenizer.vocabulary, context: tokenizer.context },
    ...(possible && { estimate: await estimatePipeline(model, size) }),
  };
}

/** A graph, and the input that its gradient goes to. */
interface Path {
  readonly graph: Graph;
  readonly from: string;
}

function whole(graph: Graph): Path {
  return { graph, from: graph.inputs[0]?.name ?? '' };
}

async function partOf(
  part: Part['part'],
  file: string | undefined,
  resolve?: () => Promise<Path>,
): Promise<Part> {
  if (file === undefined) return { part, file: null };
  const onnx = await readModel(file);
  const constants = (onnx.proto.graph?.initializer ?? []).map((t) => initializerOf(t, onnx.folder));
  return {
    part,
    file: pathIn(file),
    opset: opsetOf(onnx.proto) ?? null,
    inputs: modelInputs(onnx),
    parameters: weightsAmong(constants),
    ...(resolve && { gradient: gradientOf(await resolve()) }),
  };
}

function gradientOf({ graph, from }: Path): NonNullable<Part['gradient']> {
  const path = activeNodes(graph, [graph.outputs[0]?.name ?? ''], [from]);
  const found = obstacles(graph, path);
  return { nodes: path.nodes.length, possible: found.length === 0, obstacles: found };
}

/** `unet/model.onnx` */
function pathIn(file: string): string {
  return path.join(path.basename(path.dirname(file)), path.basename(file));
}
