/** The published DSG and DPS code, step for step: same inputs, same noise, same results. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { operators } from '../../src/operators/operators.ts';
import type { Operator } from '../../src/operators/operator.ts';
import { visible } from '../../src/operators/operator.ts';
import { loadModel } from '../../src/pipeline/model.ts';
import type { Method, SamplerChoice } from '../../src/pipeline/method.ts';
import { openRestorer } from '../../src/pipeline/restore.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { testData } from '../helpers/data.ts';

interface GoldenCase {
  readonly task: 'inpaint' | 'sr' | 'deblur';
  readonly method: 'dsg' | 'dps';
  readonly steps: number;
  readonly sampler?: 'ddpm';
  readonly var?: 'fixed_small' | 'fixed_large';
  readonly hp: { rate?: number; interval?: number; scale?: number; eta?: number };
  readonly kernel: number;
  readonly std: number;
  /** Root mean square over the image. */
  readonly tolerance: number;
  readonly residual: number;
  readonly result: string;
}

const folder = testData('golden');

function goldenCases(): [string, GoldenCase][] {
  if (!folder) return [];
  const file = JSON.parse(readFileSync(path.join(folder, 'cases.json'), 'utf8')) as {
    cases: Record<string, GoldenCase>;
  };
  return Object.entries(file.cases);
}

const at = (name: string): string => path.join(folder ?? '', name);

/** `[1,C,H,W]` without its first axis. */
function single({ shape, data }: Tensor): Tensor {
  return tensor(shape.slice(-3), data);
}

async function operatorOf(c: GoldenCase): Promise<Operator> {
  switch (c.task) {
    case 'inpaint': {
      const { shape, data } = await readNpy(at('mask.npy'));
      return operators.inpainting({ mask: tensor([1, ...shape.slice(-2)], data) });
    }
    case 'sr':
      return operators.superResolution({ scale: 4 });
    case 'deblur':
      return operators.gaussianBlur({ size: c.kernel, std: c.std });
  }
}

describe.skipIf(!folder)('the published code', () => {
  it.each(goldenCases())('%s', { timeout: 600_000 }, async (_, c) => {
    const method: Method =
      c.method === 'dsg'
        ? { name: 'dsg', rate: c.hp.rate ?? 0, interval: c.hp.interval ?? 1 }
        : { name: 'dps', stepSize: c.hp.scale ?? 0 };
    const sampler: SamplerChoice = c.sampler
      ? { name: 'ddpm', variance: c.var ?? 'fixed_small' }
      : { name: 'ddim', eta: c.hp.eta ?? 1 };
    const operator = await operatorOf(c);
    const measurement = visible(operator, single(await readNpy(at(`y_${c.task}.npy`))));
    const restorer = openRestorer({
      model: await loadModel(at('model.onnx')),
      method,
      sampler,
      steps: c.steps,
      seed: 0,
      replay: { x_T: await readNpy(at('x_T.npy')), noise: await readNpy(at('noise.npy')) },
    });
    const run = restorer.restore([{ name: c.task, measurement, operator }]);
    let next = await run.next();
    let lastLoss = NaN;
    while (!next.done) {
      lastLoss = next.value.loss?.[0] ?? lastLoss;
      next = await run.next();
    }
    await restorer.release();
    const [result] = next.value;
    const expected = single(await readNpy(at(c.result)));
    expect(result!.shape).toEqual(expected.shape);
    let sum = 0;
    expected.data.forEach((v, i) => (sum += (v - result!.data[i]!) ** 2));
    expect(Math.sqrt(sum / expected.data.length)).toBeLessThan(c.tolerance);
    expect(Math.abs(lastLoss / c.residual - 1)).toBeLessThan(0.02);
  });
});
