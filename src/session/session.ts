/** Runs graphs, on ONNX Runtime or OpenVINO. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { InferenceSession } from 'onnxruntime-node';
import { UserError } from '../errors.ts';
import { temporaryFolder } from '../files/temporary.ts';
import type { Graph } from '../onnx/graph.ts';
import { halfBits, halfValues } from '../onnx/half.ts';
import { constantBytes } from '../onnx/peak.ts';
import { encodeGraph, writeGraph } from '../onnx/write.ts';
import { showShape, tensor, type Tensor } from '../tensor/tensor.ts';
import { chooseDevice, providersFor, type Device } from './device.ts';
import { openVinoOptions } from './openvino.ts';
import type { Memory } from './memory.ts';
import { checkPrecision, type Precision } from './precision.ts';
import { createRunner } from './runner.js';
import { formFor } from './form.ts';
import type { RawTensor, Runner, RunnerInput, SessionThread } from './thread.ts';

export interface SessionOptions {
  readonly device?: Device | undefined;
  /** What the network is computed in; float32 if left out. */
  readonly precision?: Precision | undefined;
  /** How a gradient's graph is derived: what it keeps of the forward pass; `balanced` if left out. */
  readonly memory?: Memory | undefined;
  /** Threads within an operator; ONNX Runtime's own choice (one a core) if left out. */
  readonly threads?: number | undefined;
  /** Memory is given back after each run instead of being kept for the next one, which takes longer. */
  readonly frugal?: boolean | undefined;
  /** Where to run; the calling thread, which then stands still during a run, if left out. */
  readonly thread?: SessionThread | undefined;
}

/** A loaded graph. Tensors go in and come out as float32, whatever types the graph has. */
export interface Session {
  /** @throws UserError when an input is missing or has another shape than the graph's */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** Graphs with more constants than this go through a file, from which weights are mapped. */
const inMemoryLimit = 8 << 20;

/**
 * Loads a graph. Weights are mapped from a temporary file and not copied.
 * @throws UserError if the device is not there, has not the precision, or refuses the graph
 */
export async function openGraph(given: Graph, options: SessionOptions = {}): Promise<Session> {
  const graph = formFor(options.device ?? 'cpu', given);
  if (constantBytes(graph) <= inMemoryLimit)
    return openModel(encodeGraph(graph), graph.name, options);
  const folder = await temporaryFolder('dsg-graph-');
  const discard = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const file = path.join(folder, 'graph.onnx');
    await writeGraph(graph, file, { externalFrom: 1024, scratch: true });
    return await openModel(file, graph.name, options, { discard });
  } catch (error) {
    await discard();
    throw error;
  } finally {
    // A mapped file lives on without its name, where the system lets go of names at all.
    if (process.platform !== 'win32') await discard();
  }
}

/** How a model is loaded, where it is not optimized first and then run. */
export interface Loading {
  /** `disabled` for what was optimized before. */
  readonly level?: 'all' | 'disabled';
  /** Where to write what the optimizations make of it: a file, and one for weights beside it. */
  readonly optimized?: { readonly file: string; readonly data: string };
  /** What the locations of a model's weights are relative to, if it is given as bytes. */
  readonly root?: string;
  /** What is to be done after release. */
  readonly discard?: () => Promise<void>;
}

/** Loads a model from its bytes or its file. */
export async function openModel(
  model: Uint8Array | string,
  name: string,
  options: SessionOptions,
  loading: Loading = {},
): Promise<Session> {
  return wrap(await create(model, name, options, loading), loading.discard);
}

async function create(
  model: Uint8Array | string,
  name: string,
  options: SessionOptions,
  loading: Loading,
): Promise<Runner> {
  const device = chooseDevice(options.device ?? 'cpu');
  checkPrecision(device, options.precision ?? 'fp32');
  try {
    const input =
      device === 'openvino'
        ? { model, openvino: await openVinoOptions(model, name, options) }
        : { model, options: onnxRuntimeOptions(device, options, loading) };
    return await (options.thread ? createOn(options.thread, input) : createRunner(input));
  } catch (cause) {
    const runtime = device === 'openvino' ? 'OpenVINO' : `ONNX Runtime (${device})`;
    throw new UserError(`${name}: ${runtime}: ${(cause as Error).message}`, {
      cause,
      ...(device === 'cpu' ? {} : { hint: `try ${fallback(options)}` }),
    });
  }
}

function fallback({ precision = 'fp32' }: SessionOptions): string {
  return precision === 'fp32' ? '--device cpu' : '--precision fp32, or --device cpu';
}

function onnxRuntimeOptions(
  device: Device,
  { threads, frugal = false }: SessionOptions,
  { level = 'all', optimized, root }: Loading,
): InferenceSession.SessionOptions {
  return {
    executionProviders: providersFor(device),
    graphOptimizationLevel: level,
    ...(optimized && { optimizedModelFilePath: optimized.file }),
    // Planning ahead allocates one more block beside the arena's from the second run on.
    enableMemPattern: false,
    ...(frugal && { enableCpuMemArena: false }),
    // Values are computed twice on purpose, to save memory; see autodiff/recompute.ts.
    extra: {
      optimization: { disable_specified_optimizers: 'CommonSubexpressionElimination' },
      session: {
        ...(optimized && externalWeights(optimized.data)),
        ...(root !== undefined && { model_external_initializers_file_folder_path: root }),
      },
    },
    logSeverityLevel: 3,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
}

function externalWeights(file: string): Record<string, string> {
  return {
    optimized_model_external_initializers_file_name: file,
    optimized_model_external_initializers_min_size_in_bytes: '1024',
  };
}

async function createOn(thread: SessionThread, input: RunnerInput): Promise<Runner> {
  const { session, inputs } = await thread.create(input);
  return {
    inputs,
    run: (feeds) => thread.run({ session, feeds }),
    release: () => thread.release({ session }),
  };
}

function wrap(runner: Runner, discard?: () => Promise<void>): Session {
  const metadata = new Map(runner.inputs.map((m) => [m.name, m]));
  return {
    async run(feeds) {
      const inputs: Record<string, RawTensor> = {};
      for (const [name, meta] of metadata) {
        const feed = feeds[name];
        if (!feed) throw new UserError(`input '${name}' is missing`);
        inputs[name] = toRaw(feed, meta);
      }
      const results = await runner.run(inputs);
      return Object.fromEntries(Object.entries(results).map(([name, t]) => [name, fromRaw(t)]));
    },
    async release() {
      await runner.release();
      await discard?.();
    },
  };
}

function toRaw(feed: Tensor, meta: InferenceSession.ValueMetadata): RawTensor {
  if (!meta.isTensor) throw new UserError(`input '${meta.name}' is not a tensor`);
  const fits =
    feed.shape.length === meta.shape.length &&
    meta.shape.every((d, i) => typeof d !== 'number' || d === feed.shape[i]);
  if (!fits)
    throw new UserError(
      `input '${meta.name}' takes ${showShape(meta.shape)}, got ${showShape(feed.shape)}`,
    );
  const { data, shape: dims } = feed;
  const { type } = meta;
  switch (type) {
    case 'float32':
      return { type, data, dims };
    case 'float64':
      return { type, data: Float64Array.from(data), dims };
    case 'float16':
      return { type, data: halfBits(data) as never, dims };
    case 'int64':
      return { type, data: BigInt64Array.from(data, (v) => BigInt(Math.round(v))), dims };
    case 'int32':
      return { type, data: Int32Array.from(data), dims };
    case 'bool':
      return { type, data: Uint8Array.from(data), dims };
    default:
      throw new UserError(`input '${meta.name}' is of type ${meta.type}, which cannot be fed`);
  }
}

function fromRaw({ data, dims, type }: RawTensor): Tensor {
  if (data instanceof Float32Array) return tensor(dims, data);
  if (type === 'float16') {
    // Bits, or a Float16Array where JavaScript has one.
    const { buffer, byteOffset, length } = data as unknown as Uint16Array;
    return tensor(dims, halfValues(new Uint16Array(buffer, byteOffset, length)));
  }
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return tensor(dims, Float32Array.from(data, Number));
  return tensor(dims, Float32Array.from(data as ArrayLike<number>));
}
