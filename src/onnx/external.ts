/** The files beside a model that hold its weights. */
import path from 'node:path';
import { TensorProto_DataLocation, type GraphProto, type TensorProto } from 'onnx-buf';
import type { OnnxModel } from './read.ts';

/** Paths of the external data that a model refers to, each once, in the order of the file. */
export function externalFiles({ proto, folder }: OnnxModel): string[] {
  const tensors = proto.graph ? tensorsOf(proto.graph) : [];
  const locations = tensors
    .filter((t) => t.dataLocation === TensorProto_DataLocation.EXTERNAL)
    .map((t) => t.externalData.find((e) => e.key === 'location')?.value ?? '');
  return [...new Set(locations)].map((location) => path.resolve(folder, location));
}

function tensorsOf({ initializer, node }: GraphProto): TensorProto[] {
  const attributes = node.flatMap((n) => n.attribute);
  const own = attributes.flatMap(({ t, tensors }) => (t ? [t, ...tensors] : tensors));
  const bodies = attributes.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs));
  return [...initializer, ...own, ...bodies.flatMap(tensorsOf)];
}
