/** Writes the vector-Jacobian product of a model. */
import { differentiate, type DifferentiateOptions } from '../autodiff/differentiate.ts';
import { UserError } from '../errors.ts';
import type { Graph, Value } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { refuseNoModel, writeGraph } from '../onnx/write.ts';
import { resolveGraph } from '../session/resolve.ts';
import { openModel } from '../session/session.ts';
import { showShape } from '../tensor/tensor.ts';
import { fileFailure } from '../files/failure.ts';
import { sameFile } from '../files/place.ts';
import type { DifferentiateValues } from './commands/differentiate.ts';
import type { Io } from './io.ts';
import { located } from './errors.ts';
import { openReport } from './report.ts';
import { refuseUnknown } from './sizes.ts';

/** @returns the exit code */
export async function differentiateModel(
  file: string,
  { destination, output, wrt, dim = {}, stop = [], quiet }: DifferentiateValues,
  io: Io,
): Promise<number> {
  refuseNoModel(destination);
  if (await sameFile(file, destination))
    throw new UserError(`${destination}: the result would replace the model`, {
      hint: 'choose another file with -o',
    });
  const model = await readModel(file);
  refuseUnknown(modelInputs(model), dim, file);
  const graph = await resolveGraph(model, { dims: dim });
  const names = { ...(output !== undefined && { output }), ...(wrt !== undefined && { wrt }) };
  const unknown = stop.find((name) => !graph.values.has(name));
  if (unknown !== undefined)
    throw new UserError(`${file}: no value '${unknown}' to stop the gradient at`, {
      hint: 'names are those of node outputs, at the sizes given; folded constants have none',
    });
  const derived = derive(graph, { ...names, stop: new Set(stop) }, file);
  await writeGraph(derived, destination).catch((error: unknown) => {
    throw fileFailure('write', destination, error);
  });
  const report = openReport(io, { json: false, quiet, inputs: 1 });
  report.result(destination, {});
  const obstacle = await obstacleToLoading(destination);
  if (obstacle !== undefined) report.note(`note: it does not load here: ${obstacle}`);
  const list = (values: readonly Value[]): string =>
    values.map((v) => `${v.name} ${v.dtype} ${showShape(v.shape)}`).join(', ');
  report.note(`takes ${list(derived.inputs)}`);
  report.note(`gives ${list(derived.outputs)}`);
  report.note(`${graph.nodes.length} nodes became ${derived.nodes.length}`);
  return 0;
}

/** What ONNX Runtime has against a model; there are operators and types that other providers have kernels for. */
async function obstacleToLoading(file: string): Promise<string | undefined> {
  try {
    const session = await openModel(file, file, {});
    await session.release();
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/** Failures are told by the file's name, which a graph does not know. */
function derive(graph: Graph, options: DifferentiateOptions, file: string): Graph {
  try {
    return differentiate(graph, options);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new UserError(located(error, file), { ...hint, cause: error });
  }
}
