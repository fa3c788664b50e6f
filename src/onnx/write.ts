/** Writes ONNX files. */
import path from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type StringStringEntryProto,
  TensorProto_DataLocation,
  type ModelProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { UserError } from '../errors.ts';
import { writeTogether } from '../files/atomic.ts';
import { makeFolder } from '../files/folder.ts';
import type { Graph, Value } from './graph.ts';
import { byteLength, type Initializer } from './initializer.ts';
import { constantBytes } from './peak.ts';
import { graphToProto, inlineTensor, tensorHead, valueInfo } from './proto.ts';

export interface WriteOptions {
  /** Put constants of at least this many bytes into `NAME.data` beside the model; never if left out. */
  readonly externalFrom?: number;
  /**
   * Let constants that lie in files, where they can be mapped from, stay there. All locations are then
   * relative to the root of the file system, as ONNX Runtime resolves them if it is told to.
   */
  readonly inPlace?: boolean;
  /** Nothing is synced to the disk, for files that a power cut may take. */
  readonly scratch?: boolean;
  /** Shapes of inputs and outputs with names for the dimensions that the file leaves open. */
  readonly open?: Readonly<Record<string, readonly (number | string)[]>>;
  /** What the file says of itself, by key. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A single file may hold 2 GB; what is larger goes to external data unasked. */
const inlineLimit = 1.8e9;
/** ONNX Runtime maps external tensors from the file when they start on a page. */
const page = 4096;

/** The bytes of a model as protobuf writes them, unknown fields included. */
export function encodeModel(proto: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, proto);
}

/** @throws UserError for a file of another kind: models are told by their extension */
export function refuseNoModel(output: string): void {
  if (path.extname(output) !== '.onnx')
    throw new UserError(`${output}: a model is written as an .onnx file`, {
      hint: `-o ${output}.onnx`,
    });
}

/**
 * Writes a graph as one ONNX file, or as a file and its `.data` file. Both appear under their
 * final names only when complete, the model last, so that a crash leaves none with data of another.
 * @throws UserError if it cannot be written
 */
export async function writeGraph(
  graph: Graph,
  file: string,
  options: WriteOptions = {},
): Promise<void> {
  await makeFolder(path.dirname(file));
  const total = constantBytes(graph);
  const externalFrom = options.externalFrom ?? (total > inlineLimit ? 1024 : Infinity);
  const data = `${file}.data`;
  const layout = new Map<string, number>();
  let end = 0;
  for (const [name, t] of graph.initializers) {
    if (byteLength(t) < externalFrom || (options.inPlace && isMapped(t))) continue;
    layout.set(name, end);
    end += Math.ceil(byteLength(t) / page) * page;
  }
  const tensorOf = (name: string, t: Initializer): TensorProto => {
    const offset = layout.get(name);
    if (offset !== undefined) {
      const location = options.inPlace ? fromRoot(data) : path.basename(data);
      return externalTensor(name, t, location, offset);
    }
    if (options.inPlace && t.at && isMapped(t))
      return externalTensor(name, t, fromRoot(t.at.file), t.at.offset);
    return inlineTensor(name, t);
  };
  const model = { path: file, content: encodeModel(graphToModel(graph, tensorOf, options)) };
  const constants = layout.size > 0 ? [{ path: data, content: pages(graph, layout) }] : [];
  await writeTogether([...constants, model], { sync: !options.scratch });
}

/** Whether a constant can be mapped from the file that it lies in. */
function isMapped({ at }: Initializer): boolean {
  return at !== undefined && at.offset % page === 0;
}

function fromRoot(file: string): string {
  const full = path.resolve(file);
  return full.slice(path.parse(full).root.length);
}

/** Constants one after the other, each made when it is asked for. */
function* pages(graph: Graph, layout: ReadonlyMap<string, number>): Generator<Uint8Array> {
  for (const name of layout.keys()) {
    const bytes = (graph.initializers.get(name) as Initializer).bytes();
    yield bytes;
    const rest = bytes.byteLength % page;
    if (rest) yield new Uint8Array(page - rest);
  }
}

/** The model message of a graph, its constants inline. */
export function encodeGraph(
  graph: Graph,
  options: Omit<WriteOptions, 'externalFrom'> = {},
): Uint8Array {
  return encodeModel(graphToModel(graph, inlineTensor, options));
}

/** IR versions go with operator sets: the oldest IR that a set may be stored in is the safest. */
function irVersionFor(opset: number): bigint {
  if (opset <= 18) return 8n;
  if (opset <= 20) return 9n;
  if (opset <= 22) return 10n;
  return opset <= 23 ? 11n : opset <= 24 ? 12n : 13n;
}

function graphToModel(
  graph: Graph,
  tensorOf: (name: string, t: Initializer) => TensorProto,
  { open = {}, metadata = {} }: WriteOptions = {},
): ModelProto {
  const declared = (v: Value): ValueInfoProto =>
    valueInfo({ ...v, shape: open[v.name] ?? v.shape });
  return create(ModelProtoSchema, {
    irVersion: irVersionFor(graph.opset),
    producerName: 'dsg',
    opsetImport: [{ domain: '', version: BigInt(graph.opset) }],
    graph: graphToProto(graph, tensorOf, declared),
    metadataProps: entries(metadata),
  });
}

function externalTensor(name: string, t: Initializer, file: string, offset: number): TensorProto {
  const proto = tensorHead(name, t);
  proto.dataLocation = TensorProto_DataLocation.EXTERNAL;
  proto.externalData = entries({ location: file, offset, length: byteLength(t) });
  return proto;
}

function entries(record: Readonly<Record<string, string | number>>): StringStringEntryProto[] {
  return Object.entries(record).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value: String(value) }),
  );
}
