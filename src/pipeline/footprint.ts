/** How much memory a batch takes, and how large a batch the machine has memory for. */
import { classLoss, noisyClassGraph } from '../guided/classifier.ts';
import { decoderGraph } from '../guided/decoded.ts';
import { guidedGraph, stepGraph, type Aim } from '../guided/guided.ts';
import { blendedGraph, windowGradientGraph, windowGraph } from '../guided/windowed.ts';
import { lossesAt } from '../losses/loss.ts';
import type { Graph } from '../onnx/graph.ts';
import { constantBytes, peakBytes } from '../onnx/peak.ts';
import type { Choice } from '../session/device.ts';
import { freeNvidiaMemory } from '../session/nvidia.ts';
import { placementOf, seenShape, type Size } from './canvas.ts';
import { classifierAt } from './classifier.ts';
import {
  classifierFreeNetwork,
  conditionalNetwork,
  fixedBatch,
  type FormsInput,
  type Network,
} from './forms.ts';
import { decoderOf } from './latent/autoencoder.ts';
import { shapeOf, type Job } from './job.ts';
import { subjectOf, type RestoreOptions } from './restore.ts';
import { isStaged } from './staged.ts';
import { exceeds } from './windows.ts';

/** Beyond this a CPU gains nothing more, and an interruption loses more. */
const largest = 8;
/** The rest is for decoding, encoding, fragmentation and the other users of the machine. */
const share = 0.6;

/** Bytes for the sessions of a device; undefined where nothing tells. */
export function freeMemory(device: Choice['device']): number | undefined {
  if (device === 'cuda') return freeNvidiaMemory();
  return device === 'webgpu' ? undefined : process.availableMemory();
}

/**
 * The largest batch, from 1 to 8, that the networks take and for which every lane has its part of
 * `free` bytes.
 */
export async function fittingBatch(
  job: Job,
  free: number,
  options: RestoreOptions & { readonly lanes: number },
): Promise<number> {
  const most = mostTaken(options);
  // Nothing is left to choose, and not every network can be asked for one image.
  if (most < 2) return 1;
  const { fixed, perImage } = await footprint(job, options);
  const budget = (free * share) / options.lanes - fixed;
  return Math.max(1, Math.floor(Math.min(largest, most, budget / perImage)));
}

/** How many images the networks take at once: some are exported for one. */
function mostTaken({
  model,
  classifier: guidance,
  classifierFree,
}: Pick<RestoreOptions, 'model' | 'classifier' | 'classifierFree'>): number {
  const [classified] = guidance?.classifier.image.shape ?? [];
  const most = fixedBatch(model) ?? Infinity;
  // Classifier-free guidance has every image in a batch twice, or runs the network twice.
  const sampled = classifierFree && most % 2 === 0 ? most / 2 : most;
  return Math.min(sampled, typeof classified === 'number' ? classified : Infinity);
}

/** Estimated bytes of a lane: `fixed` for weights, and `perImage` for what is live at the peak. */
export async function footprint(
  job: Job,
  options: Partial<Pick<RestoreOptions, 'method'>> &
    Pick<RestoreOptions, 'model' | 'classifierFree' | 'classifier' | 'margin' | 'tiling'>,
): Promise<{ fixed: number; perImage: number }> {
  const { model, classifierFree, classifier: guidance, tiling } = options;
  const { canvas, placed } = placementOf(model, shapeOf(job, model), options);
  const { losses: unprepared, condition } = subjectOf(job, model, job.method ?? options.method);
  const losses = await lossesAt(unprepared, [1, ...placed.image]);
  const windows = tiling && exceeds(canvas, tiling);
  const stages = windows || isStaged(model, canvas);
  const shape = [1, ...seenShape(model, canvas)];
  const decoder = await decoderOf(model, 1, canvas);
  const aims: Aim[] = losses.length > 0 ? [{ losses, placement: placed, decoder }] : [];
  const graphs: Graph[] = [];
  if (guidance) {
    const network = await classifierAt(guidance.classifier, guidance.class, [1, ...placed.image]);
    if (guidance.classifier.timestep) graphs.push(noisyClassGraph(network, shape, placed));
    else aims.push({ losses: [classLoss(network, guidance.class)], placement: placed, decoder });
  }
  const told = { model, batch: 1, like: { ...(condition && { condition }) }, classifierFree };
  for (const { graph, card } of await networksOf(told, windows ? tiling.window : canvas)) {
    graphs.push(stages ? windowGraph(graph, card) : stepGraph(graph, card));
    if (stages && aims.length > 0) graphs.push(windowGradientGraph(graph, card));
    if (!stages) graphs.push(...aims.map((aim) => guidedGraph(graph, card, aim)));
  }
  if (stages)
    graphs.push(...[undefined, ...aims].map((aim) => blendedGraph(shape, model.card, aim)));
  if (decoder) graphs.push(decoderGraph(decoder));
  // Beside the weights as they are, ONNX Runtime keeps a copy packed for its kernels.
  const fixed = 2 * graphs.reduce((n, g) => n + constantBytes(g), 0);
  return { fixed, perImage: Math.max(...graphs.map(peakBytes)) };
}

/** Those of a network's forms that some step takes. */
async function networksOf(input: FormsInput, size: Size): Promise<Network[]> {
  const { classifierFree: free } = input;
  const networks = free ? [await classifierFreeNetwork(input, size)] : [];
  if (!free || free.scale === 0 || free.interval)
    networks.push(await conditionalNetwork(input, size));
  return networks;
}
