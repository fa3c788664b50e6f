/** OpenVINO as another runtime of the same graphs. */
import { readFile } from 'node:fs/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, type ValueInfoProto } from 'onnx-buf';
import { modelInput } from '../onnx/dims.ts';
import type { Value } from '../onnx/graph.ts';
import { requireOpenVino } from './openvino-library.ts';
import type { Precision } from './precision.ts';

/** What a session of OpenVINO is opened with, as it goes from thread to thread. */
export interface OpenVinoOptions {
  /** File of the C library. */
  readonly library: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Properties of the compiled model; each must be in force once it is compiled. */
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * @param model whose shapes are fixed: its bytes, or its file
 * @throws UserError where the library is not found
 */
export async function openVinoOptions(
  model: Uint8Array | string,
  where: string,
  {
    threads,
    precision = 'fp32',
  }: { threads?: number | undefined; precision?: Precision | undefined },
): Promise<OpenVinoOptions> {
  const bytes = typeof model === 'string' ? await readFile(model) : model;
  const { graph } = fromBinary(ModelProtoSchema, bytes);
  const typed = (info: ValueInfoProto): Value => {
    const { name, dtype, shape } = modelInput(info, where);
    return { name, dtype, shape: shape.map(Number) };
  };
  return {
    library: requireOpenVino(),
    inputs: (graph?.input ?? []).map(typed),
    outputs: (graph?.output ?? []).map(typed),
    properties: {
      // Left alone, OpenVINO takes the least precise that the processor is fast in.
      INFERENCE_PRECISION_HINT: { fp32: 'f32', fp16: 'f16', bf16: 'bf16' }[precision],
      ...(threads !== undefined && {
        INFERENCE_NUM_THREADS: String(threads),
        // Every session would be bound to the first so many processors: all lanes to the same ones.
        ENABLE_CPU_PINNING: 'NO',
      }),
    },
  };
}
