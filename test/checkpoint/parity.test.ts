/**
 * Imported networks against PyTorch: output and gradient of each checkpoint under
 * test/fixtures/checkpoint, which make.py wrote together with PyTorch's own.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { importCheckpoint, type ImportOptions } from '../../src/checkpoint/import.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { runGraph } from '../helpers/run.ts';

const root = fileURLToPath(new URL('../fixtures/checkpoint', import.meta.url));
const cases = readdirSync(root);
const written = temporaryFolder();

interface Case {
  readonly inputs: readonly string[];
  readonly options: ImportOptions;
}

/** A single checkpoint file, or the folder of a diffusers network. */
function sourceOf(name: string): string {
  const folder = path.join(root, name);
  const single = readdirSync(folder).find((file) => file === 'model.pt');
  return single ? path.join(folder, single) : folder;
}

/** Largest difference, relative to the largest value. */
function error(got: Tensor | undefined, want: Tensor): number {
  expect(got?.shape).toEqual(want.shape);
  const largest = Math.max(...want.data.map(Math.abs));
  return Math.max(...want.data.map((v, i) => Math.abs(v - (got?.data[i] ?? NaN)))) / largest;
}

async function imported(name: string, options: ImportOptions, batch: number): Promise<Graph> {
  const file = path.join(written, `${name}.onnx`);
  await importCheckpoint(sourceOf(name), file, options);
  return resolveGraph(await readModel(file), { dims: { batch } });
}

describe.each(cases)('%s', (name) => {
  const folder = path.join(root, name);
  const { inputs, options } = JSON.parse(
    readFileSync(path.join(folder, 'case.json'), 'utf8'),
  ) as Case;
  const array = (key: string): Promise<Tensor> => readNpy(path.join(folder, `${key}.npy`));

  test('gives the output and the gradient that PyTorch gives', async () => {
    const graph = await imported(name, options, 2);
    const output = graph.outputs[0]?.name ?? '';
    const vjp = differentiate(graph, { wrt: 'x' });
    const feeds: Record<string, Tensor> = { [`${output}.cotangent`]: await array('cotangent') };
    for (const key of inputs) feeds[key] = await array(key);
    const out = await runGraph(vjp, feeds);
    expect(error(out[output], await array('output'))).toBeLessThan(1e-4);
    expect(error(out['x.gradient'], await array('gradient'))).toBeLessThan(1e-4);
  });
});
