/** Rules of guidance by a loss: step sizes, where they act, and the limits in which they are exact. */
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { withBackward } from '../../src/guidance/backward.ts';
import { covers, within } from '../../src/guidance/extent.ts';
import { freedom } from '../../src/guidance/freedom.ts';
import type { Descend, Guidance, Proposal, Reach } from '../../src/guidance/guidance.ts';
import { none } from '../../src/guidance/none.ts';
import { universal } from '../../src/guidance/universal.ts';
import { imageNorms, imageAt, stack } from '../../src/tensor/batch.ts';
import type { Step } from '../../src/schedules/respace.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { filled, linearSteps, randn } from '../helpers/diffusion.ts';
import { exactDenoise, type Gaussian2 } from '../helpers/gaussian-prior.ts';

const SHAPE = [2, 1, 4, 4];
const steps = linearSteps(10);
const step = steps[4]!;
const map = ({ shape, data }: Tensor, f: (v: number, i: number) => number): Tensor => ({
  shape,
  data: data.map(f),
});
const proposal: Proposal = {
  step,
  sample: randn(1, 0, SHAPE),
  mean: randn(2, 0, SHAPE),
  sigma: 0.2,
  gradient: map(randn(3, 0, SHAPE), (v, i) => v * (i < 16 ? 1e-3 : 50)),
  loss: undefined,
  eps: randn(4, 0, SHAPE),
  ofX0: 0.3,
};
const moved = (guidance: Guidance, given = proposal): Tensor => {
  const x = guidance.apply(given);
  return map(x, (v, i) => v - given.sample.data[i]!);
};

describe('freedom', () => {
  it('goes a share of what the predicted noise gives to the mean, however steep the loss', () => {
    const lengths = imageNorms(moved(freedom({ scale: 0.02, rule: 'relative' })));
    const noise = imageNorms(proposal.eps);
    const { alphaBar } = step;
    for (const image of [0, 1]) {
      const wanted = 0.02 * 0.3 * Math.sqrt((1 - alphaBar) / alphaBar) * noise[image]!;
      expect(lengths[image]! / wanted).toBeCloseTo(1, 4);
    }
  });

  it('by the signal rule goes scale √ᾱ along the gradient', () => {
    const data = moved(freedom({ scale: 0.5, rule: 'signal' })).data;
    const rho = 0.5 * Math.sqrt(step.alphaBar);
    data.forEach((v, i) => expect(v).toBeCloseTo(-rho * proposal.gradient.data[i]!, 4));
  });

  it('does not move where there is no gradient', () => {
    const flat = { ...proposal, gradient: filled(SHAPE, 0) };
    expect(freedom({ scale: 1, rule: 'relative' }).apply(flat)).toEqual(proposal.sample);
  });

  it.each([-1, NaN, Infinity])('refuses a scale of %f', (scale) =>
    expect(() => freedom({ scale, rule: 'signal' })).toThrow(UserError),
  );
});

describe('universal guidance', () => {
  // y = h·x0 + N(0, s2): −log p(y | x_t) is known, and so is the conditional score.
  const prior: Gaussian2 = { mean: [0.2, -0.3], cov: [0.5, 0.2, 0.3] };
  const [h, s2, y] = [[1, -0.5] as const, 0.05, 0.9];
  const [a, b, c] = prior.cov;
  const ch = [a * h[0] + b * h[1], b * h[0] + c * h[1]] as const;
  const evidence = h[0] * ch[0] + h[1] * ch[1] + s2;
  const gain = (y - h[0] * prior.mean[0] - h[1] * prior.mean[1]) / evidence;
  const posterior: Gaussian2 = {
    mean: [prior.mean[0] + gain * ch[0], prior.mean[1] + gain * ch[1]],
    cov: [a - ch[0] ** 2 / evidence, b - (ch[0] * ch[1]) / evidence, c - ch[1] ** 2 / evidence],
  };

  /** The gradient of −log p(y | x_t), from Var[x0 | x_t] = (1−ᾱ) C A⁻¹ and ∂x̂₀/∂x_t = √ᾱ C A⁻¹. */
  function gradientOf({ shape, data }: Tensor, alphaBar: number): Tensor {
    const [p, q, r] = [alphaBar * a + 1 - alphaBar, alphaBar * b, alphaBar * c + 1 - alphaBar];
    const det = p * r - q * q;
    // h C A⁻¹, with C and A commuting.
    const k = [(ch[0] * r - ch[1] * q) / det, (ch[1] * p - ch[0] * q) / det] as const;
    const variance = (1 - alphaBar) * (k[0] * h[0] + k[1] * h[1]) + s2;
    const out = new Float32Array(data.length);
    for (let i = 0; i < data.length; i += 2) {
      const residual = (y - h[0] * data[i]! - h[1] * data[i + 1]!) / variance;
      out[i] = -Math.sqrt(alphaBar) * residual * k[0];
      out[i + 1] = -Math.sqrt(alphaBar) * residual * k[1];
    }
    return { shape, data: out };
  }

  it('of strength 1 by the exact likelihood is the prediction of the posterior', async () => {
    const x = randn(5, 0, [64, 2, 1, 1]);
    for (const at of steps) {
      const { x0 } = await exactDenoise(prior)(x, at, { gradient: true });
      const gradient = gradientOf(x0, at.alphaBar);
      const guided = await universal({ strength: 1 }).estimate!({
        step: at,
        x0,
        gradient,
        descend: undefined,
      });
      const exact = await exactDenoise(posterior)(x, at, { gradient: false });
      guided.data.forEach((v, i) => expect(Math.abs(v - exact.x0.data[i]!)).toBeLessThan(2e-4));
    }
  });

  it('goes as far from an x0 that was moved as the loss says of the one that was predicted', async () => {
    const [x0, predicted] = [randn(6, 0, SHAPE), randn(7, 0, SHAPE)];
    const seen: Tensor[] = [];
    const reach: Reach = async (at) => {
      seen.push(at.x0);
      return new Float64Array(SHAPE[0]!).fill(0.5);
    };
    const step = steps.at(-1) as Step;
    const { gradient } = proposal;
    const given = { step, x0, predicted, gradient, descend: undefined, reach };
    const guided = await universal({ strength: 1 }).estimate!(given);
    expect(seen).toEqual([predicted]);
    const rate = (0.5 * (1 - step.alphaBar)) / Math.sqrt(step.alphaBar);
    guided.data.forEach((v, i) => expect(v).toBeCloseTo(x0.data[i]! - rate * gradient.data[i]!, 4));
  });

  it('takes the sample as it is', () =>
    expect(universal({ strength: 3 }).apply(proposal)).toBe(proposal.sample));

  it.each([-1, NaN, Infinity])('refuses a strength of %f', (strength) =>
    expect(() => universal({ strength })).toThrow(UserError),
  );
});

describe('backward guidance', () => {
  /** ‖x0 − goal‖², each image's own. */
  const goal = filled(SHAPE, 0.25);
  const descend: Descend = async (x0) => ({
    loss: Float64Array.from(imageNorms(map(x0, (v, i) => v - goal.data[i]!)), (n) => n * n),
    gradient: map(x0, (v, i) => 2 * (v - goal.data[i]!)),
  });
  const estimate = { step, x0: randn(6, 0, SHAPE), gradient: proposal.gradient, descend };
  const lossOf = async (x0: Tensor) => (await descend(x0)).loss[0]!;

  it('descends the loss at x0, the further the more steps it takes', async () => {
    const before = await lossOf(estimate.x0);
    const found: number[] = [];
    for (const m of [1, 10, 100]) {
      const guidance = withBackward(none, { steps: m, rate: 0.05 });
      found.push(await lossOf(await guidance.estimate!(estimate)));
    }
    expect(found[0]).toBeLessThan(before);
    expect(found[1]).toBeLessThan(found[0]!);
    expect(found[2]).toBeLessThan(0.01 * before);
  });

  it('moves each value by its rate at the first step', async () => {
    const x0 = await withBackward(none, { steps: 1, rate: 0.05 }).estimate!(estimate);
    x0.data.forEach((v, i) => expect(Math.abs(v - estimate.x0.data[i]!)).toBeCloseTo(0.05, 4));
  });

  // import torch
  // x = torch.nn.Parameter(torch.tensor([0.5, -1, 2, 0.25], dtype=torch.float64))
  // adam = torch.optim.Adam([x], lr=0.1)
  // for g in ([1, -2, 3, 0.5], [-3, 0.5, 2, 0.001], [2, 4, -1, -7]):
  //   x.grad = torch.tensor(g, dtype=torch.float64); adam.step(); print(x.tolist())
  it('takes the steps of torch.optim.Adam', async () => {
    const given = [
      [1, -2, 3, 0.5],
      [-3, 0.5, 2, 0.001],
      [2, 4, -1, -7],
    ];
    const expected = [
      [0.400000001, -0.9000000005, 1.9000000003333333, 0.15000000199999997],
      [0.44941898410874415, -0.8530531837013348, 1.802964787904343, 0.08284541109547831],
      [0.4475402146763485, -0.8932356432002709, 1.7477755984856143, 0.1428699403235248],
    ];
    const of = (values: readonly number[]): Tensor => ({
      shape: [1, 1, 2, 2],
      data: Float32Array.from(values),
    });
    const seen: number[][] = [];
    const last = await withBackward(none, { steps: 3, rate: 0.1 }).estimate!({
      ...estimate,
      x0: of([0.5, -1, 2, 0.25]),
      descend: async ({ data }) => {
        const gradient = of(given[seen.length]!);
        seen.push([...data]);
        return { loss: Float64Array.of(0), gradient };
      },
    });
    const found = [...seen.slice(1), [...last.data]];
    expect(found).toEqual(expected.map((x) => x.map((v) => expect.closeTo(v, 6))));
  });

  it('starts from what forward guidance made', async () => {
    const forward = universal({ strength: 2 });
    const both = withBackward(forward, { steps: 1, rate: 1e-9 });
    const bent = await forward.estimate!(estimate);
    (await both.estimate!(estimate)).data.forEach((v, i) =>
      expect(v).toBeCloseTo(bent.data[i]!, 6),
    );
  });

  it('treats the images of a batch as alone', async () => {
    const guidance = withBackward(none, { steps: 5, rate: 0.05 });
    const batch = await guidance.estimate!(estimate);
    for (const i of [0, 1]) {
      const cut = (t: Tensor): Tensor => stack([imageAt(t, i)]);
      const alone = await guidance.estimate!({
        ...estimate,
        x0: cut(estimate.x0),
        descend: async (x0) => ({
          loss: Float64Array.of(0),
          gradient: map(x0, (v) => 2 * (v - 0.25)),
        }),
      });
      expect(cut(batch)).toEqual(alone);
    }
  });

  it.each([
    [{ steps: 0, rate: 0.1 }, /0 steps/],
    [{ steps: 1.5, rate: 0.1 }, /1.5 steps/],
    [{ steps: 3, rate: 0 }, /rate 0/],
  ])('refuses %o', (options, message) =>
    expect(() => withBackward(none, options)).toThrow(message),
  );
});

describe('an extent', () => {
  it.each<[number, number, number[]]>([
    [0, 1, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]],
    [0.3, 0.7, [6, 5, 4, 3]],
    [0, 0.1, [9]],
    [0.95, 1, []],
  ])('from %f to %f of ten steps', (from, to, indices) =>
    expect(steps.filter(covers({ from, to }, 10)).map((s) => s.index)).toEqual(indices),
  );

  it('is that of the published style guidance: indices 69 to 30 of 100', () => {
    const found = linearSteps(100).filter(covers({ from: 0.3, to: 0.7 }, 100));
    expect([found.length, found[0]?.index, found.at(-1)?.index]).toEqual([40, 69, 30]);
  });

  it('limits a rule that has its own steps', () => {
    const even: Guidance = { ...none, guides: ({ index }) => index % 2 === 0 };
    const limited = within(even, { from: 0.3, to: 0.7 }, 10);
    expect(steps.filter(limited.guides).map((s) => s.index)).toEqual([6, 4]);
  });

  it.each([
    [0.5, 0.5],
    [0.7, 0.3],
    [-0.1, 1],
    [0, 1.1],
    [NaN, 1],
  ])('refuses %f to %f', (from, to) => expect(() => covers({ from, to }, 10)).toThrow(UserError));
});
