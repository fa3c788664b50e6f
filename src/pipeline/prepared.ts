/** Sessions over derived graphs, started from the cache where it has them. */
import path from 'node:path';
import type { Cache } from '../cache/cache.ts';
import type { Graph } from '../onnx/graph.ts';
import { narrow } from '../onnx/narrow.ts';
import { chooseDevice } from '../session/device.ts';
import { openPrepared, prepareGraph } from '../session/prepared.ts';
import { runtimeOf } from '../session/runtime.ts';
import { openGraph, type Session, type SessionOptions } from '../session/session.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { contentOf, isReplaced, refuseMixed } from './content.ts';
import type { Model } from './model.ts';
import { once } from './once.ts';
import { codeRevision } from './revision.ts';
import { showError, trust, type Verdict } from './trust.ts';

export interface Opening {
  readonly model: Pick<Model, 'file' | 'onnx' | 'parts' | 'stamps'> & { readonly card: object };
  readonly session: SessionOptions;
  /** Where derived graphs are kept; nowhere if left out. */
  readonly cache?: Cache | undefined;
  /** Told of what takes its time. */
  readonly note?: ((line: string) => void) | undefined;
}

/** What a graph follows from, beside the model and its card. */
export interface Origin {
  /** By what they are of. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** Signatures, where there are any. */
  readonly losses?: readonly string[];
  readonly [other: string]: unknown;
}

export interface Recipe extends Origin {
  readonly graph:
    | 'step'
    | 'guided'
    | 'window'
    | 'window gradient'
    | 'blended'
    | 'blended guided'
    | 'classifier'
    | 'loss'
    | 'reach';
}

/** Of an entry, for those who look into the cache. */
export interface About {
  readonly model: string;
  readonly graph: Recipe['graph'];
  readonly device: string;
  readonly shapes: Recipe['shapes'];
  /** How far the device was from the CPU, where it is another. */
  readonly verdict?: Verdict;
}

/** What is run, and how it is tried out. */
export interface Derivation {
  make(): Promise<Graph>;
  /** What goes into inputs that do not take just any number. */
  feeds(): Readonly<Record<string, Tensor>>;
}

/**
 * A session over a derived graph, by its recipe. It is derived only where the cache does not have it.
 * On another device than the CPU it is first compared with the CPU, once for as long as the cache
 * remembers it.
 * @throws UserError if the device is not there, computes something else than the CPU, or refuses the
 * graph; or if weights on the disk are no longer those of the model that was read
 */
export async function openDerived(
  { model, session, cache, note }: Opening,
  recipe: Recipe,
  { make, feeds }: Derivation,
): Promise<Session> {
  const device = chooseDevice(session.device ?? 'cpu');
  const { precision = 'fp32' } = session;
  const derive = once(async () => {
    const graph = await make();
    if (device === 'cpu') return { graph };
    const written = precision === 'fp16' && isNetwork(recipe) ? narrow(graph, isApart) : graph;
    const where = path.basename(model.file);
    note?.(
      `${where}: comparing device ${device} with the CPU before its first use (${recipe.graph})`,
    );
    const trial = { graph, written, session, feeds: feeds(), where };
    const verdict = await trust(trial);
    const worst = Math.max(...Object.values(verdict));
    note?.(`${where}: device ${device} agrees with the CPU to ${showError(worst)}`);
    return { graph: written, verdict };
  });
  const openUncached = async (): Promise<Session> => {
    await refuseMixed(model);
    return openGraph((await derive()).graph, session);
  };
  if (!cache) return openUncached();
  // What would be kept is of the network in memory, and its name of the one on the disk.
  if (await isReplaced(model)) {
    note?.(
      `${model.file}: replaced after it was read; going on with what was read, without the cache`,
    );
    return openUncached();
  }
  const runtime = runtimeOf(device);
  const content = await contentOf(model, cache);
  const { memory = 'balanced' } = session;
  const settings = { runtime, precision, memory, recipe };
  const key = { code: codeRevision(), content, card: model.card, ...settings };
  const { graph, shapes } = recipe;
  const entry = await cache.entry(key, async () => {
    const derived = await derive();
    return async (folder): Promise<About> => {
      await prepareGraph(derived.graph, folder, session);
      await refuseMixed(model);
      const { verdict } = derived;
      return { model: model.file, graph, device, shapes, ...(verdict && { verdict }) };
    };
  });
  if (!entry) return openUncached();
  try {
    return await openPrepared(entry.folder, model.file, session);
  } catch (error) {
    // Another process may have cleared the cache just now.
    await cache.drop(key, (error as Error).message);
    return openUncached();
  }
}

/** What is not the network is computed in float32 always; see onnx/narrow.ts. */
export const isApart = (node: string): boolean => node.startsWith('/dsg');

/** Whether the model is part of the graph. */
function isNetwork({ graph }: Recipe): boolean {
  return ['step', 'guided', 'window', 'window gradient'].includes(graph);
}
