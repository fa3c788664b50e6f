/** A thread that a runtime may block, so that the one that reads, writes and answers goes on. */
import { Worker } from 'node:worker_threads';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { OpenVinoOptions } from './openvino.ts';

/** A tensor of any type, as it goes from thread to thread. */
export type RawTensor = Pick<Tensor, 'type' | 'data' | 'dims'>;

/** A model and how to load it, by ONNX Runtime or by OpenVINO. */
export interface RunnerInput {
  /** Its bytes, or its file. */
  readonly model: Uint8Array | string;
  readonly options?: InferenceSession.SessionOptions;
  readonly openvino?: OpenVinoOptions;
}

/** A loaded model, here or on another thread. */
export interface Runner {
  readonly inputs: readonly InferenceSession.ValueMetadata[];
  run(feeds: Record<string, RawTensor>): Promise<Record<string, RawTensor>>;
  release(): Promise<void>;
}

/** What can be asked of the thread. */
export interface Calls {
  create(
    given: RunnerInput,
  ): Promise<{ session: number; inputs: readonly InferenceSession.ValueMetadata[] }>;
  run(given: {
    session: number;
    feeds: Record<string, RawTensor>;
  }): Promise<Record<string, RawTensor>>;
  release(given: { session: number }): Promise<void>;
}

/** Its sessions run one at a time; several threads run side by side. */
export interface SessionThread extends Calls {
  /** Ends the thread; sessions must have been released. */
  close(): Promise<void>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Starts a thread; it keeps the process alive until it is closed. */
export function openThread(): SessionThread {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { execArgv: [] });
  let failure: Error | undefined;
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  const settle = (id: number): Waiting | undefined => {
    const found = waiting.get(id);
    waiting.delete(id);
    return found;
  };
  worker.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
    const call = settle(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  });
  const end = (error: Error): void => {
    failure ??= error;
    for (const id of waiting.keys()) settle(id)?.reject(error);
  };
  worker.on('error', end);
  worker.on('exit', () => end(new Error('the thread of the session has ended')));
  const ask = <K extends keyof Calls>(call: K): Calls[K] =>
    // The thread answers each call with what Calls says.
    ((given: object) =>
      new Promise((resolve, reject) => {
        // A thread that has died answers no more.
        if (failure) return reject(failure);
        waiting.set(++calls, { resolve, reject });
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- no window's
        worker.postMessage({ id: calls, call, given });
      })) as Calls[K];
  return {
    create: ask('create'),
    run: ask('run'),
    release: ask('release'),
    async close() {
      await worker.terminate();
    },
  };
}
