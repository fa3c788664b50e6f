/** Gradients of networks as ONNX Runtime's optimizer leaves them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { readModel } from '../../src/onnx/read.ts';
import { defaultModel } from '../../src/pipeline/model.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { testData } from '../helpers/data.ts';
import { exportCases, gradientsOf } from '../helpers/exports.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'dsg-optimized-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file of the same network with operators of com.microsoft. */
async function optimized(file: string, name: string): Promise<string> {
  const fused = path.join(folder, name);
  const session = await ort.InferenceSession.create(file, {
    graphOptimizationLevel: 'extended',
    optimizedModelFilePath: fused,
    logSeverityLevel: 4,
  });
  await session.release();
  return fused;
}

test('the default prior', async () => {
  const fused = await optimized(defaultModel, 'default.onnx');
  const foreign = (await readModel(fused)).proto.graph?.node.filter((n) => n.domain !== '');
  expect(foreign?.length).toBeGreaterThan(10);
  const shapes = { x: [1, 3, 16, 16], t: [1] };
  const feeds = {
    x: randomTensor('x', shapes.x),
    t: tensor([1], Float32Array.of(300)),
    'eps.cotangent': randomTensor('cotangent', shapes.x),
  };
  const gradientOf = async (file: string): Promise<Tensor> => {
    const graph = await resolveGraph(await readModel(file), { shapes });
    const results = await runGraph(differentiate(graph, { output: 'eps', wrt: 'x' }), feeds);
    return results['x.gradient'] as Tensor;
  };
  const [found, expected] = [await gradientOf(fused), await gradientOf(defaultModel)];
  expect(relativeError(found, expected)).toBeLessThan(1e-5);
});

const root = testData('vjp');

describe.skipIf(!root)('exports, against PyTorch', () => {
  const cases = exportCases(root).flatMap((c) => c.files.map((file) => ({ c, file })));
  test.each(cases)('$c.name/$file', async ({ c, file }) => {
    const fused = await optimized(path.join(c.folder, file), `${c.name}.${file}`);
    const { gradient, reference } = await gradientsOf(c, fused);
    expect(relativeError(gradient, reference)).toBeLessThan(c.tolerance);
  });
});
