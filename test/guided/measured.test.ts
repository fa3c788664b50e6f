/** The whitened residual against dense linear algebra in float64, and against an exact posterior. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { lossGraph, ports } from '../../src/guided/guided.ts';
import { measurementLoss, type FidelityOptions } from '../../src/guided/measured.ts';
import { reachGraph, type Reaching } from '../../src/guided/reach.ts';
import { weighted } from '../../src/losses/loss.ts';
import { newLooks } from '../../src/losses/looks.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { randomMask } from '../../src/operators/inpainting.ts';
import type { Operator } from '../../src/operators/operator.ts';
import { operators } from '../../src/operators/operators.ts';
import { applyOperator } from '../../src/pipeline/degrade.ts';
import { openDenoiser } from '../../src/pipeline/denoiser.ts';
import { loadModel } from '../../src/pipeline/model.ts';
import { noiseKey } from '../../src/tensor/noise.ts';
import { sizeOf, tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { linearSteps } from '../helpers/diffusion.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { mixtureGraph } from '../helpers/mixture.ts';
import { dot, randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const image = [1, 8, 12] as const;
const shape = [1, ...image];
const folder = temporaryFolder();

const mask = operators.inpainting({ mask: randomMask(8, 12, noiseKey(0, 'measured')) });
const reduction = operators.superResolution({ scale: 2 });
const blur = operators.gaussianBlur({ size: 9, std: 1.2 });

/** Columns of A, by what it makes of every unit image. */
async function columnsOf(operator: Operator): Promise<number[][]> {
  const columns: number[][] = [];
  for (let i = 0; i < sizeOf(image); i++) {
    const unit = tensor(image, new Float32Array(sizeOf(image)));
    unit.data[i] = 1;
    columns.push(Array.from((await applyOperator(operator, unit)).data));
  }
  return columns;
}

/** z of M z = r by elimination; M is positive definite. */
function solved(M: readonly (readonly number[])[], r: readonly number[]): number[] {
  const rows = M.map((row, i) => [...row, r[i]!]);
  const n = rows.length;
  for (let k = 0; k < n; k++)
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const factor = rows[i]![k]! / rows[k]![k]!;
      for (let j = k; j <= n; j++) rows[i]![j]! -= factor * rows[k]![j]!;
    }
  return rows.map((row, i) => row[n]! / row[i]!);
}

/** σ² I + r_t² A Aᵀ. */
function covariance(
  columns: readonly (readonly number[])[],
  { sigma, variance }: { readonly sigma: number; readonly variance: number },
): number[][] {
  const rows = columns[0]!;
  return rows.map((_, i) =>
    rows.map((__, j) => {
      const product = columns.reduce((sum, column) => sum + column[i]! * column[j]!, 0);
      return variance * product + (i === j ? sigma ** 2 : 0);
    }),
  );
}

/** σ √(rᵀ M⁻¹ r) and its gradient −σ² Aᵀ M⁻¹ r / loss, M = σ² I + r_t² A Aᵀ. */
function exact(
  columns: readonly (readonly number[])[],
  r: readonly number[],
  { sigma, variance }: { readonly sigma: number; readonly variance: number },
): { loss: number; gradient: Tensor } {
  const M = covariance(columns, { sigma, variance });
  const z = solved(M, r);
  const onto = (v: readonly number[]): number => v.reduce((sum, vi, i) => sum + vi * z[i]!, 0);
  const loss = sigma * Math.sqrt(onto(r));
  const gradient = columns.map((column) => (-(sigma ** 2) / loss) * onto(column));
  return { loss, gradient: tensor(shape, Float32Array.from(gradient)) };
}

/** The loss of an image x and a noise level, with what else it is fed. */
function lossOf(operator: Operator, y: Tensor, options: FidelityOptions) {
  const loss = measurementLoss(operator, y, options);
  const b = new GraphBuilder();
  const x0 = b.input('x', 'float32', shape);
  const noise = b.input('noise', 'float32', []);
  const feeds: Record<string, Tensor> = {};
  const given = Object.entries(loss.parameters).map(([name, value]) => {
    feeds[name] = tensor([1, ...value.shape], value.data);
    return [name, b.input(name, 'float32', [1, ...value.shape])] as const;
  });
  const seen = { x0, canvas: x0, top: 0, left: 0, noise, looks: newLooks() };
  b.output(loss.value(b, x0, Object.fromEntries(given), seen), 'loss');
  return { graph: b.graph, feeds };
}

async function valueAndGradient(graph: Graph, feeds: Record<string, Tensor>) {
  const out = await runGraph(differentiate(graph, { wrt: 'x' }), {
    ...feeds,
    'loss.cotangent': tensor([1], Float32Array.of(1)),
  });
  return { loss: out['loss']!.data[0]!, gradient: out['x.gradient']! };
}

function cosine(a: Tensor, b: Tensor): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** An image, what is left of its measurement, and the measurement. */
async function problemOf(operator: Operator, deviation: number) {
  const x0 = randomTensor('x0', image);
  const Ax = await applyOperator(operator, x0);
  const hidden = (i: number): boolean => operator.parameters['mask']?.data[i] === 0;
  const z = randomTensor('residual', Ax.shape).data;
  const r = Array.from(z, (v, i) => (hidden(i) ? 0 : deviation * v));
  const y = tensor(
    Ax.shape,
    Ax.data.map((v, i) => v + r[i]!),
  );
  return { x: tensor(shape, x0.data), r, y };
}

describe('whitened, it is σ √(rᵀ (σ² I + v (1−ᾱ) A Aᵀ)⁻¹ r)', () => {
  // A blur that does not repeat the edge is not quite diagonal in cosines.
  it.each([
    ['inpainting', mask, 1e-4],
    ['super-resolution', reduction, 1e-4],
    ['deblurring', blur, 0.1],
  ])('%s', async (_, operator, tolerance) => {
    const columns = await columnsOf(operator);
    const { x, r, y } = await problemOf(operator, 0.3);
    for (const [sigma, whiten, noise] of [
      [0.05, 0.1, 0.9],
      [0.2, 1, 0.3],
    ] as const) {
      const { graph, feeds } = lossOf(operator, y, { whiten, sigma });
      const level = tensor([], Float32Array.of(noise));
      const found = await valueAndGradient(graph, { ...feeds, x, noise: level });
      const wanted = exact(columns, r, { sigma, variance: whiten * noise ** 2 });
      expect(Math.abs(found.loss / wanted.loss - 1)).toBeLessThan(tolerance);
      expect(cosine(found.gradient, wanted.gradient)).toBeGreaterThan(1 - tolerance);
    }
  });
});

describe('−log p(y|x_t)', () => {
  it.each([
    ['inpainting', mask],
    ['super-resolution', reduction],
  ])('is ½ rᵀ M⁻¹ r, and the gradient its own: %s', async (_, operator) => {
    const { x, r, y } = await problemOf(operator, 0.3);
    const [sigma, whiten, noise] = [0.1, 0.2, 0.8];
    const { graph, feeds } = lossOf(operator, y, { whiten, sigma, likelihood: true });
    const level = tensor([], Float32Array.of(noise));
    const found = await valueAndGradient(graph, { ...feeds, x, noise: level });
    const wanted = exact(await columnsOf(operator), r, { sigma, variance: whiten * noise ** 2 });
    // Of the norm ℓ, ½ (ℓ/σ)² has the gradient ℓ/σ² times its own.
    expect(found.loss / (0.5 * (wanted.loss / sigma) ** 2)).toBeCloseTo(1, 3);
    const scale = wanted.loss / sigma ** 2;
    const gradient = tensor(
      shape,
      wanted.gradient.data.map((v) => scale * v),
    );
    expect(relativeError(found.gradient, gradient)).toBeLessThan(1e-3);
  });

  it('is flat where everything is hidden, and a number', async () => {
    const hidden = operators.inpainting({ mask: tensor([1, 8, 12], new Float32Array(96)) });
    const { graph, feeds } = lossOf(hidden, randomTensor('y', image), { likelihood: true });
    const x = tensor(shape, randomTensor('x', image).data);
    const noise = tensor([], Float32Array.of(0.5));
    const found = await valueAndGradient(graph, { ...feeds, x, noise });
    expect(found.loss).toBe(0);
    expect(new Set(found.gradient.data.map((v) => v + 0))).toEqual(new Set([0]));
  });

  it('takes its variance from the residual by moments, and no gradient of that', async () => {
    const sigma = 0.05;
    const count = mask.parameters['mask']!.data.reduce((sum, v) => sum + v, 0);
    for (const deviation of [0.5, 2]) {
      const { x, r, y } = await problemOf(mask, deviation);
      const { graph, feeds } = lossOf(mask, y, { whiten: 0, sigma, likelihood: true });
      const level = tensor([], Float32Array.of(0.9));
      const { loss, gradient } = await valueAndGradient(graph, { ...feeds, x, noise: level });
      const squares = r.reduce((sum, v) => sum + v * v, 0);
      const variance = squares / count - sigma ** 2;
      // Rounded to a sixteenth of e, up or down.
      const ratio = loss / ((0.5 * squares) / (sigma ** 2 + variance));
      expect(Math.abs(Math.log(ratio))).toBeLessThan(1 / 16 + 1e-3);
      const slope = tensor(
        shape,
        Float32Array.from(r, (v) => (-2 * loss * v) / squares),
      );
      expect(relativeError(gradient, slope)).toBeLessThan(1e-3);
    }
  });
});

describe('the reach of its gradient', () => {
  const [sigma, whiten, noise, signal] = [0.1, 0.2, 0.8, 0.6];
  const variance = whiten * noise ** 2;

  /** What the graph tells of a gradient at x, for a residual. */
  async function reachOf(
    operator: Operator,
    { x, y }: Record<'x' | 'y', Tensor>,
    gradient: Tensor,
  ) {
    const loss = measurementLoss(operator, y, { whiten, sigma, likelihood: true });
    const placement = { image, top: 0, left: 0 };
    const given = Object.entries(loss.parameters).map(
      ([name, value]) =>
        [ports.lossParameter(0, name), tensor([1, ...value.shape], value.data)] as const,
    );
    const { [ports.reach]: reach } = await runGraph(
      reachGraph(loss as Reaching, shape, placement),
      {
        ...Object.fromEntries(given),
        [ports.image]: x,
        [ports.gradient]: gradient,
        [ports.signal]: tensor([], Float32Array.of(signal)),
        [ports.noise]: tensor([], Float32Array.of(noise)),
      },
    );
    return reach!.data[0]!;
  }

  const told = [
    ['inpainting', mask],
    ['super-resolution', reduction],
  ] as const;

  /** Aᵀ p of p = M⁻¹ r, which is the gradient at x̂₀ but for its sign. */
  async function backprojected(operator: Operator, r: readonly number[]): Promise<Tensor> {
    const { loss, gradient } = exact(await columnsOf(operator), r, { sigma, variance });
    return tensor(
      shape,
      gradient.data.map((v) => (-loss / sigma ** 2) * v),
    );
  }

  it.each(told)('is 1 where x0 has the variance that was taken: %s', async (_, operator) => {
    const { x, r, y } = await problemOf(operator, 0.3);
    // J = √ᾱ/(1−ᾱ) r_t² I.
    const J = (signal / noise ** 2) * variance;
    const gradient = (await backprojected(operator, r)).data.map((v) => -J * v);
    expect(await reachOf(operator, { x, y }, tensor(shape, gradient))).toBeCloseTo(1, 4);
  });

  it.each(told)('makes up for a J that is c times that, to a bound: %s', async (_, op) => {
    const { x, r, y } = await problemOf(op, 0.3);
    const columns = await columnsOf(op);
    const at = (await backprojected(op, r)).data;
    const J = (signal / noise ** 2) * variance;
    for (const c of [0.2, 5, 30]) {
      const gradient = tensor(
        shape,
        at.map((v) => -c * J * v),
      );
      // p = M⁻¹ r and q = σ² p + c r_t² A Aᵀ p, densely.
      const M = covariance(columns, { sigma, variance });
      const p = solved(M, r);
      const q = p.map((pi, i) => (1 - c) * sigma ** 2 * pi + c * r[i]!);
      const dotted = (u: readonly number[], v: readonly number[]): number =>
        u.reduce((sum, ui, i) => sum + ui * v[i]!, 0);
      const steepest = dotted(p, r) / dotted(p, q);
      const bound = 1.5 * Math.sqrt(dotted(p, r) / dotted(solved(M, q), q));
      const found = await reachOf(op, { x, y }, gradient);
      expect(found / Math.min(steepest, bound)).toBeCloseTo(1, 3);
    }
  });

  it('is bounded where the network turns the gradient around', async () => {
    const { x, r, y } = await problemOf(mask, 0.3);
    const gradient = (await backprojected(mask, r)).data.map((v) => 3 * v);
    const found = await reachOf(mask, { x, y }, tensor(shape, gradient));
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(2);
  });

  it('is a number where nothing is left to explain', async () => {
    const { x, y } = await problemOf(mask, 0);
    const none = tensor(shape, new Float32Array(sizeOf(image)));
    expect(await reachOf(mask, { x, y }, none)).toBeGreaterThanOrEqual(0);
  });

  it('goes with the loss itself, and not with a multiple or a norm', () => {
    const y = randomTensor('y', image);
    expect(weighted(measurementLoss(mask, y, { likelihood: true }), 2).reach).toBeUndefined();
    expect(measurementLoss(mask, y, { whiten }).reach).toBeUndefined();
  });
});

it('does not see what a measurement holds where it was hidden', () => {
  const hides = (i: number): boolean => mask.parameters['mask']?.data[i] === 0;
  const y = randomTensor('y', image);
  const painted = tensor(
    image,
    y.data.map((v, i) => (hides(i) ? 1 : v)),
  );
  const seen = (measurement: Tensor) => measurementLoss(mask, measurement).parameters;
  expect(seen(painted)).toEqual(seen(y));
  expect(painted).not.toEqual(y);
});

it('without noise in x_t it is the norm, as where x̂₀ itself is looked for', async () => {
  const y = randomTensor('y', image);
  const x = tensor(shape, randomTensor('x', image).data);
  const options = { whiten: 0.3, sigma: 0.05 };
  const { graph, feeds } = lossOf(blur, y, options);
  const none = tensor([], Float32Array.of(0));
  const atTheEnd = await valueAndGradient(graph, { ...feeds, x, noise: none });
  const loss = measurementLoss(blur, y, options);
  const given = Object.entries(loss.parameters).map(
    ([name, value]) =>
      [ports.lossParameter(0, name), tensor([1, ...value.shape], value.data)] as const,
  );
  const alone = await runGraph(lossGraph([loss], shape), {
    [ports.image]: x,
    ...Object.fromEntries(given),
  });
  const Ax = await applyOperator(blur, tensor(image, x.data));
  const norm = Math.hypot(...y.data.map((v, i) => v - Ax.data[i]!));
  expect(atTheEnd.loss / norm).toBeCloseTo(1, 4);
  expect(alone[ports.loss]!.data[0]! / norm).toBeCloseTo(1, 4);
  expect(relativeError(atTheEnd.gradient, alone[ports.gradient]!)).toBeLessThan(1e-4);
});

it('is the exact score of the measurement for Gaussian images, which the norm is not', async () => {
  const variance = 0.3;
  const prior = {
    shape: image,
    weights: [1],
    means: [new Array<number>(sizeOf(image)).fill(0.1)],
    variances: [new Array<number>(sizeOf(image)).fill(variance)],
  };
  const file = path.join(folder, 'gaussian.onnx');
  await writeFile(file, encodeGraph(mixtureGraph(prior, 1)));
  const model = await loadModel(file, { clip: false });
  const step = linearSteps(10)[6]!;
  const { alphaBar } = step;
  const x = randomTensor('x_t', shape);
  const y = randomTensor('y', reduction.measured(image));
  const sigma = 0.05;

  async function guided(whiten: number) {
    const subject = { losses: [measurementLoss(reduction, y, { whiten, sigma })] };
    const denoiser = openDenoiser({
      model,
      like: subject,
      batch: 1,
      canvas: { height: 8, width: 12 },
      placement: { image, top: 0, left: 0 },
      session: { threads: 1 },
    });
    const out = await denoiser.bind([subject])(x, step, { gradient: true });
    await denoiser.release();
    return { gradient: out.gradient!, x0: out.x0 };
  }

  // The variance of x0 given x_t is v (1−ᾱ) with this v, and x̂₀ is linear in x_t.
  const left = variance / (1 - alphaBar + alphaBar * variance);
  const { gradient, x0 } = await guided(left);
  const Ax = await applyOperator(reduction, tensor(image, x0.data));
  const r = Array.from(y.data, (v, i) => v - Ax.data[i]!);
  const uncertain = { sigma, variance: left * (1 - alphaBar) };
  const score = exact(await columnsOf(reduction), r, uncertain).gradient;
  expect(cosine(gradient, score)).toBeGreaterThan(1 - 1e-5);
  expect(cosine((await guided(0)).gradient, score)).toBeLessThan(0.99);
});

it.each([-0.1, NaN, Infinity])('a v of %d is refused', (whiten) => {
  expect(() => measurementLoss(blur, randomTensor('y', image), { whiten })).toThrow(
    /whitening by .*, expected a number from 0/,
  );
});
