/** Exported networks with PyTorch's gradients: folders with a `case.json` each. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { readModel } from '../../src/onnx/read.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { runGraph } from './run.ts';

export interface ExportCase {
  readonly name: string;
  readonly folder: string;
  readonly tier: number;
  readonly files: readonly string[];
  readonly inputs: Readonly<Record<string, string>>;
  readonly wrt: string;
  readonly cotangent: string;
  readonly gradient: string;
  readonly output_index: number;
  readonly tolerance: number;
}

/** Every case under a folder; none where there is no folder. */
export function exportCases(root: string | undefined): ExportCase[] {
  return (root ? readdirSync(root) : []).flatMap((name) => {
    const folder = path.join(root as string, name);
    const file = path.join(folder, 'case.json');
    if (!existsSync(file)) return [];
    return [{ name, folder, ...(JSON.parse(readFileSync(file, 'utf8')) as object) } as ExportCase];
  });
}

/** What the derived graph of one of a case's files gives, or of another of the same network, and what PyTorch gave. */
export async function gradientsOf(
  c: ExportCase,
  file: string,
): Promise<{ gradient: Tensor; reference: Tensor }> {
  const model = await readModel(path.resolve(c.folder, file));
  const feeds: Record<string, Tensor> = {};
  for (const [name, npy] of Object.entries(c.inputs))
    feeds[name] = await readNpy(path.join(c.folder, npy));
  const shapes = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, t.shape]));
  const graph = await resolveGraph(model, { shapes });
  const output = graph.outputs[c.output_index]?.name as string;
  const derivative = differentiate(graph, { output, wrt: c.wrt });
  const cotangent = await readNpy(path.join(c.folder, c.cotangent));
  const results = await runGraph(derivative, { ...feeds, [`${output}.cotangent`]: cotangent });
  const reference = await readNpy(path.join(c.folder, c.gradient));
  return { gradient: results[`${c.wrt}.gradient`] as Tensor, reference };
}
