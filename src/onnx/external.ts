/** The files beside a model that hold its weights. */
import path from 'node:path';
import { TensorProto_DataLocation, type GraphProto, type TensorProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { isFile } from '../files/read.ts';
import type { OnnxModel } from './read.ts';

/** What to do where such a file is missing. */
export const keepTogether = 'keep the .data file beside the .onnx file, under its original name';

/**
 * Paths of the external data that a model refers to, each once, in the order of the file.
 * @throws UserError for one that is not there, or not in the model's folder
 */
export function externalFiles({ proto, folder, where }: OnnxModel): string[] {
  const tensors = proto.graph ? tensorsOf(proto.graph) : [];
  const locations = tensors
    .filter((t) => t.dataLocation === TensorProto_DataLocation.EXTERNAL)
    .map((t) => t.externalData.find((e) => e.key === 'location')?.value ?? '');
  const files = [...new Set(locations)].map((location) => fileBeside(folder, location, where));
  const missing = files.find((file) => !isFile(file));
  if (missing === undefined) return files;
  throw new UserError(`${where}: its weights are in ${missing}, and there is no such file`, {
    hint: keepTogether,
  });
}

/**
 * The file that a location names.
 * @param where names the model or tensor in messages
 * @throws UserError for a location outside the model's folder
 */
export function fileBeside(folder: string, location: string, where: string): string {
  const file = path.resolve(folder, location);
  const within = path.relative(path.resolve(folder), file);
  if (within !== '' && within.split(path.sep)[0] !== '..' && !path.isAbsolute(within)) return file;
  throw new UserError(
    `${where}: external data location '${location}' is outside the model's folder`,
    { hint: 'external data must lie beside the model file' },
  );
}

function tensorsOf({ initializer, node }: GraphProto): TensorProto[] {
  const attributes = node.flatMap((n) => n.attribute);
  const own = attributes.flatMap(({ t, tensors }) => (t ? [t, ...tensors] : tensors));
  const bodies = attributes.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs));
  return [...initializer, ...own, ...bodies.flatMap(tensorsOf)];
}
