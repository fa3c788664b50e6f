/** Sessions over derived graphs, started from the cache where it has them. */
import type { Cache } from '../cache/cache.ts';
import type { Graph } from '../onnx/graph.ts';
import { openPrepared, prepareGraph } from '../session/prepared.ts';
import { runtimeOf } from '../session/runtime.ts';
import { openGraph, type Session, type SessionOptions } from '../session/session.ts';
import { contentOf } from './content.ts';
import type { Model } from './model.ts';
import { codeRevision } from './revision.ts';

export interface Opening {
  readonly model: Pick<Model, 'file' | 'onnx' | 'parts'> & { readonly card: object };
  readonly session: SessionOptions;
  /** Where derived graphs are kept; nowhere if left out. */
  readonly cache?: Cache | undefined;
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
    | 'loss';
}

/** Of an entry, for those who look into the cache. */
export interface About {
  readonly model: string;
  readonly graph: Recipe['graph'];
  readonly device: string;
  readonly shapes: Recipe['shapes'];
}

/**
 * A session over the graph that `make` derives, by its recipe. It is derived only where the cache
 * does not have it.
 * @throws UserError if the device is not there or ONNX Runtime refuses the graph
 */
export async function openDerived(
  { model, session, cache }: Opening,
  recipe: Recipe,
  make: () => Promise<Graph>,
): Promise<Session> {
  if (!cache) return openGraph(await make(), session);
  const runtime = runtimeOf(session.device ?? 'cpu');
  const content = await contentOf(model, cache);
  const key = { code: codeRevision(), content, card: model.card, runtime, recipe };
  const { graph, shapes } = recipe;
  const about: About = { model: model.file, graph, device: runtime[1] as string, shapes };
  const entry = await cache.entry(key, async (folder) => {
    await prepareGraph(await make(), folder, session);
    return about;
  });
  if (!entry) return openGraph(await make(), session);
  try {
    return await openPrepared(entry.folder, model.file, session);
  } catch (error) {
    // Another process may have cleared the cache just now.
    await cache.drop(key, (error as Error).message);
    return openGraph(await make(), session);
  }
}
