/** Gradients of exported networks as ONNX Runtime's optimizer leaves them, against PyTorch's autograd. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { testData } from '../helpers/data.ts';
import { exportCases, gradientsOf } from '../helpers/exports.ts';
import { relativeError } from '../helpers/random.ts';

const root = testData('vjp');

describe.skipIf(!root)('networks that ONNX Runtime has optimized', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dsg-optimized-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const cases = exportCases(root).flatMap((c) => c.files.map((file) => ({ c, file })));
  test.each(cases)('$c.name/$file', async ({ c, file }) => {
    const fused = path.join(folder, `${c.name}.${file}`);
    const session = await ort.InferenceSession.create(path.join(c.folder, file), {
      graphOptimizationLevel: 'extended',
      optimizedModelFilePath: fused,
      logSeverityLevel: 4,
    });
    await session.release();
    const { gradient, reference } = await gradientsOf(c, fused);
    expect(relativeError(gradient, reference)).toBeLessThan(c.tolerance);
  });
});
