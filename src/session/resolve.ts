/** Static shapes of a model, worked out by ONNX Runtime itself. */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, type ModelProto } from 'onnx-buf';
import * as ort from 'onnxruntime-node';
import { UserError } from '../errors.ts';
import { temporaryFolder } from '../files/temporary.ts';
import type { Bindings } from '../onnx/dims.ts';
import { dtypes, type DType } from '../onnx/dtype.ts';
import type { Graph } from '../onnx/graph.ts';
import { unrollLoops } from '../onnx/loops.ts';
import { nodeName } from '../onnx/node.ts';
import { withOwnNames } from '../onnx/own-names.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { unrollScans } from '../onnx/scans.ts';
import { assemble, exposeAll, exposeShapes, lowerInlined, makeSkeleton } from '../onnx/skeleton.ts';
import { encodeModel } from '../onnx/write.ts';
import { showShape } from '../tensor/tensor.ts';

type Types = Map<string, { dtype: DType; shape: number[] }>;

/** Functions inlined and loops written out can bring new shape arithmetic, which the next pass folds. */
const mostPasses = 8;

/**
 * The graph of a model with the given input sizes: constants folded, shape arithmetic gone, local
 * functions inlined, every value typed, weights shared with `model`.
 * @param kept constants that stay as they are under their names, whatever could be folded
 * @throws UserError when dimensions are left open, or ONNX Runtime refuses the model
 */
export async function resolveGraph(
  model: OnnxModel,
  bindings: Bindings = {},
  kept?: ReadonlySet<string>,
): Promise<Graph> {
  const skeleton = makeSkeleton(model, bindings, kept);
  let proto = skeleton.proto;
  let open: string[] = [];
  for (let pass = 0; pass < mostPasses; pass++) {
    const flat = withOwnNames(await folded(proto, model.where), proto, `/folded.${pass}`);
    const straight = unrollLoops(flat);
    proto = lowerInlined(straight);
    if (straight !== flat && pass + 1 < mostPasses) continue;
    const seen = await valueTypes(proto, model.where);
    const unscanned = unrollScans(proto, seen.types);
    if (unscanned !== proto && pass + 1 < mostPasses) {
      proto = unscanned;
      continue;
    }
    if (seen.open.length === 0) return assemble(proto, seen.types, skeleton);
    open = seen.open;
  }
  throw openShapes(model.where, open, proto);
}

function openShapes(where: string, open: readonly string[], { graph }: ModelProto): UserError {
  const listed = (names: readonly string[], most: number): string =>
    `${names.slice(0, most).join(', ')}${names.length > most ? `, and ${names.length - most} more` : ''}`;
  const control = (graph?.node ?? [])
    .filter((n) => n.opType === 'If' || n.opType === 'Loop')
    .map((n) => `${n.opType} ${nodeName(n)}`);
  const reason =
    control.length > 0
      ? `of ${listed(control, 3)} the branch or the number of rounds is not known: export the model with it fixed`
      : 'only models whose shapes follow from the shapes of their inputs can be used';
  return new UserError(`${where}: shapes that depend on data: ${listed(open, 5)}`, {
    hint: reason,
  });
}

/** One pass of ONNX Runtime's basic optimizations, which write standard operators only. */
async function folded(proto: ModelProto, where: string): Promise<ModelProto> {
  const folder = await temporaryFolder('dsg-resolve-');
  try {
    const file = path.join(folder, 'folded.onnx');
    const session = await open(proto, where, {
      graphOptimizationLevel: 'basic',
      optimizedModelFilePath: file,
    });
    await session.release();
    // A plain view: copies of a Buffer's slices would be views of the whole file.
    const { buffer, byteOffset, byteLength } = await readFile(file);
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    const result = fromBinary(ModelProtoSchema, bytes);
    // The session declares every domain it knows; only the model's own matter.
    result.opsetImport = result.opsetImport.filter(
      (o) => o.domain === '' || o.domain === 'ai.onnx',
    );
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function valueTypes(
  proto: ModelProto,
  where: string,
): Promise<{ types: Types; open: string[] }> {
  const outputMetadata = await outputsOf(exposeAll(proto), where);
  const types: Types = new Map();
  const undecided: string[] = [];
  for (const meta of outputMetadata) {
    if (!meta.isTensor) throw new UserError(`${where}: value '${meta.name}' is not a tensor`);
    if (!(meta.type in dtypes))
      throw new UserError(`${where}: value '${meta.name}' is of type ${meta.type}`);
    const shape = meta.shape.filter((d) => typeof d === 'number');
    if (shape.length < meta.shape.length)
      undecided.push(`${meta.name} ${showShape(meta.shape.map((d) => d || '?'))}`);
    else types.set(meta.name, { dtype: meta.type as DType, shape });
  }
  for (const name of await withoutRank(proto, types, where)) undecided.push(`${name} of any rank`);
  return { types, open: undecided };
}

/**
 * A session tells the same of a scalar and of what it does not know the rank of, as what comes out of a
 * branch or a loop. What Shape gives of the two differs.
 */
async function withoutRank(proto: ModelProto, types: Types, where: string): Promise<string[]> {
  const seemScalar = [...types].filter(([, { shape }]) => shape.length === 0).map(([name]) => name);
  if (seemScalar.length === 0) return [];
  const ranks = await outputsOf(exposeShapes(proto, seemScalar), where);
  return seemScalar.filter((_, i) => {
    const meta = ranks[i];
    return !(meta?.isTensor && meta.shape[0] === 0);
  });
}

async function outputsOf(
  proto: ModelProto,
  where: string,
): Promise<readonly ort.InferenceSession.ValueMetadata[]> {
  const session = await open(proto, where, { graphOptimizationLevel: 'disabled' });
  const { outputMetadata } = session;
  await session.release();
  return outputMetadata;
}

async function open(
  proto: ModelProto,
  where: string,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(encodeModel(proto), {
      ...options,
      executionProviders: ['cpu'],
      logSeverityLevel: 4,
    });
  } catch (cause) {
    const { message } = cause as Error;
    const unwritten = message.includes('serialization failed');
    throw new UserError(`${where}: ONNX Runtime refuses the model: ${message}`, {
      cause,
      ...(unwritten && { hint: 'is there space where temporary files go? TMPDIR says where' }),
    });
  }
}
