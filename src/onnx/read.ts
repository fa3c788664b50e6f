/** Reads ONNX files. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, type ModelProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { eachNode } from './bodies.ts';

/** A model as it lies in its file: every field kept, weights as views of the file's bytes. */
export interface OnnxModel {
  readonly proto: ModelProto;
  /** Where external data is looked for. */
  readonly folder: string;
  /** What messages call it. */
  readonly where: string;
}

/** The newest file format and operator set that the supported ONNX Runtime reads. */
const newestIr = 13;
const newestOpset = 26;
const largestFile = 2 ** 31;

/**
 * Reads a model. External data stays on disk until it is asked for.
 * @throws UserError for a file that is missing, truncated, not ONNX, or newer than can be run
 */
export async function readModel(file: string): Promise<OnnxModel> {
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    if (size >= largestFile)
      throw new UserError(`${file}: ${size} bytes; a protobuf message holds less than 2 GB`, {
        hint: 'save the model with external data',
      });
    // A plain view: Buffer.slice does not copy, where Uint8Array.slice does.
    const buffer = await readFile(file);
    bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${file}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  return parseModel(bytes, { folder: path.dirname(file), where: file });
}

/** Reads a model from bytes already in memory, of which it keeps views. */
export function parseModel(bytes: Uint8Array, from: { folder: string; where: string }): OnnxModel {
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new UserError(`${from.where}: not an ONNX model, or truncated`, {
      hint: `${bytes.byteLength} bytes were read; a Git LFS pointer or an interrupted download looks like this`,
      cause,
    });
  }
  const model = { proto, ...from };
  unnameDomain(proto);
  checkModel(model);
  return model;
}

/** `ai.onnx` is another name for the domain without one. */
function unnameDomain({ graph, functions, opsetImport }: ModelProto): void {
  const nodes = [...(graph?.node ?? []), ...functions.flatMap((f) => f.node)];
  const imports = [...opsetImport, ...functions.flatMap((f) => f.opsetImport)];
  const unname = (named: { domain: string }): void => {
    if (named.domain === 'ai.onnx') named.domain = '';
  };
  imports.forEach(unname);
  for (const node of nodes) eachNode(node, unname);
}

function checkModel({ proto, where }: OnnxModel): void {
  const opset = opsetOf(proto);
  if (!proto.graph || proto.irVersion === 0n || (opset === undefined && !proto.functions.length))
    throw new UserError(`${where}: not an ONNX model: it has no graph or no operator set`);
  if (proto.irVersion > newestIr)
    throw new UserError(
      `${where}: ONNX file format (IR) ${proto.irVersion} is newer than ${newestIr}, the newest supported`,
      {
        hint: 'the operators may stay: in Python, m = onnx.load(f); m.ir_version = 10; onnx.save(m, f)',
      },
    );
  if ((opset ?? 0) > newestOpset)
    throw new UserError(
      `${where}: operator set ${opset} is newer than ${newestOpset}, the newest supported`,
      { hint: 'export it again with opset 17 to 20' },
    );
}

/** The version of ai.onnx that a model imports. */
export function opsetOf(proto: ModelProto): number | undefined {
  const found = proto.opsetImport.find((o) => o.domain === '');
  return found && Number(found.version);
}
