/** Results of a benchmark that never ran, with round numbers. */
import { catalogue } from '../../src/metrics/catalogue.ts';
import type { Cell, Measurement, Results } from '../../src/report/results.ts';
import { summarize } from '../../src/report/summary.ts';

const digest = (letter: string): string => letter.repeat(64);

export interface Shape {
  readonly images?: readonly string[];
  readonly tasks?: readonly string[];
  readonly methods?: readonly string[];
  readonly steps?: readonly number[];
  readonly samples?: number;
}

export function cell(fields: Partial<Cell> = {}): Cell {
  return {
    image: 'cat',
    task: 'sr',
    method: 'dsg',
    steps: 20,
    sample: 0,
    hash: digest('a'),
    file: 'sr/dsg-20/cat.sample0.png',
    seconds: 2,
    scores: { psnr: 25, ssim: 0.7, residual: 3, residualRatio: 1.5 },
    loss: [],
    ...fields,
  };
}

export function measurement(fields: Partial<Measurement> = {}): Measurement {
  return {
    image: 'cat',
    task: 'sr',
    operator: { task: 'sr', scale: 4 },
    sha256: digest('b'),
    sigma: 0.05,
    seed: 0,
    file: 'sr/measurements/cat.measurement.png',
    scores: { psnr: 20, ssim: 0.5 },
    ...fields,
  };
}

/** PSNR rises by 1 dB a method from the last to the first, by 1 dB a doubling of steps. */
export function fixture(shape: Shape = {}): Results {
  const {
    images = ['cat', 'deep/dog'],
    tasks = ['sr', 'inpaint'],
    methods = ['dsg', 'dps'],
    steps = [20, 40],
    samples = 1,
  } = shape;
  const groups = tasks.flatMap((task) =>
    methods.flatMap((method) => steps.map((n) => ({ task, method, steps: n }))),
  );
  const cells = groups.flatMap(({ task, method, steps: n }) =>
    images.flatMap((image, i) =>
      Array.from({ length: samples }, (_, sample) => {
        const psnr = 25 + 2 * i + Math.log2(n / 20) - methods.indexOf(method) + 0.25 * sample;
        return cell({
          image,
          task,
          method,
          steps: n,
          sample,
          file: `${task}/${method}-${n}/${image}.sample${sample}.png`,
          scores: { psnr, ssim: psnr / 40, residual: 30 / psnr, residualRatio: 25 / psnr },
          loss: Array.from(
            { length: n },
            (_, k) => [n - 1 - k, 10 - (9 * k) / n] as [number, number],
          ),
        });
      }),
    ),
  );
  return {
    schema: 1,
    created: '2026-01-02T03:04:05.678Z',
    command: "dsg bench clean --output 'my out'",
    versions: { dsg: '0.1.0', node: 'v20.19.0', onnxruntime: '1.30.0' },
    protocol: { name: 'article', source: 'an article', notes: ['noise <converted>'] },
    model: { file: 'prior.onnx', sha256: digest('c'), card: 'a prior', inferred: [] },
    seed: 0,
    samples,
    scored: 'float32 results',
    metrics: {
      psnr: { ...catalogue.psnr, range: [0, null] },
      ssim: { ...catalogue.ssim, range: [-1, 1] },
      residual: { ...catalogue.residual, range: [0, null] },
      residualRatio: { ...catalogue.residualRatio, range: [0, null] },
    },
    images: images.map((name) => ({
      name,
      width: 32,
      height: 24,
      sha256: digest('d'),
      file: `clean/${name}.png`,
    })),
    measurements: images.flatMap((image) =>
      tasks.map((task) =>
        measurement({ image, task, file: `${task}/measurements/${image}.measurement.png` }),
      ),
    ),
    groups: groups.map((g) =>
      summarize(
        g,
        cells.filter((c) => c.task === g.task && c.method === g.method && c.steps === g.steps),
        `${g.method}, ddim eta 1`,
      ),
    ),
    cells,
    failures: [],
  };
}
