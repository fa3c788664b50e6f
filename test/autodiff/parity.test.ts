/** Gradients of exported networks against PyTorch's autograd. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { readModel } from '../../src/onnx/read.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { testData } from '../helpers/data.ts';
import { relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

interface Case {
  readonly tier: number;
  readonly files: readonly string[];
  readonly inputs: Readonly<Record<string, string>>;
  readonly wrt: string;
  readonly cotangent: string;
  readonly gradient: string;
  readonly output_index: number;
  readonly tolerance: number;
}

const root = testData('vjp');
const cases = (root ? readdirSync(root) : []).map((name) => {
  const folder = path.join(root as string, name);
  const described = JSON.parse(readFileSync(path.join(folder, 'case.json'), 'utf8')) as Case;
  return { name, folder, ...described };
});

async function gradientOf(c: (typeof cases)[number], file: string): Promise<Tensor> {
  const model = await readModel(path.join(c.folder, file));
  const feeds: Record<string, Tensor> = {};
  for (const [name, npy] of Object.entries(c.inputs))
    feeds[name] = await readNpy(path.join(c.folder, npy));
  const shapes = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, t.shape]));
  const graph = await resolveGraph(model, { shapes });
  const output = graph.outputs[c.output_index]?.name as string;
  const derivative = differentiate(graph, { output, wrt: c.wrt });
  const cotangent = await readNpy(path.join(c.folder, c.cotangent));
  const results = await runGraph(derivative, { ...feeds, [`${output}.cotangent`]: cotangent });
  return results[`${c.wrt}.gradient`] as Tensor;
}

describe.skipIf(!root)('networks exported by PyTorch', () => {
  for (const c of cases)
    test.each(c.files)(`tier ${c.tier}: ${c.name}/%s`, async (file) => {
      const gradient = await gradientOf(c, file);
      const reference = await readNpy(path.join(c.folder, c.gradient));
      expect(gradient.shape).toEqual(reference.shape);
      // The largest deviation over the largest magnitude.
      expect(relativeError(gradient, reference)).toBeLessThan(c.tolerance);
    });
});
