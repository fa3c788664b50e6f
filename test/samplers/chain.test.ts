/** The loop that samplers share: what it asks for, yields, and refuses. */
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { dps } from '../../src/guidance/dps.ts';
import { dsg } from '../../src/guidance/dsg.ts';
import { none } from '../../src/guidance/none.ts';
import { ddim } from '../../src/samplers/ddim.ts';
import { ddpm } from '../../src/samplers/ddpm.ts';
import { NonFiniteError } from '../../src/samplers/finite.ts';
import type { Denoise, Denoised, SamplerInput } from '../../src/samplers/sampler.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { filled, linearSteps, randn, run } from '../helpers/diffusion.ts';

const SHAPE = [3, 1, 4, 4];
const zero = filled(SHAPE, 0);
const steps = linearSteps(6);

/** A denoiser that has an answer for everything. */
const denoise: Denoise = async (x, { index }, want) => ({
  eps: x,
  x0: { shape: x.shape, data: x.data.map((v) => v / 2) },
  ...(want.gradient && { loss: Float64Array.of(index, 1, 2), gradient: randn(5, index, SHAPE) }),
});

function input(changes: Partial<SamplerInput> = {}): SamplerInput {
  return {
    denoise,
    x: randn(1, 0, SHAPE),
    steps,
    guidance: dps({ stepSize: 0.1 }),
    noise: ({ index }) => randn(2, index, SHAPE),
    ...changes,
  };
}

describe('a sampler', () => {
  it('asks for a gradient where the guidance guides, and takes the plain sample elsewhere', async () => {
    const wanted: boolean[] = [];
    const guidance = dsg({ rate: 0.2, interval: 2 });
    const { states } = await run(
      ddim({ eta: 1 })(
        input({
          guidance,
          denoise: (x, step, want) => {
            wanted.push(want.gradient);
            return denoise(x, step, want);
          },
        }),
      ),
    );
    expect(wanted).toEqual([false, true, false, true, false, true]);
    expect(states.map(({ loss }) => loss?.[0])).toEqual([undefined, 4, undefined, 2, undefined, 0]);
    const plain = await run(ddim({ eta: 1 })(input({ guidance: none })));
    expect(states[0]!.x).toEqual(plain.states[0]!.x);
    expect(states[1]!.x).not.toEqual(plain.states[1]!.x);
  });

  it('waits for the network where drawing noise fails', async () => {
    let ended = false;
    const slow: Denoise = async (x, step, want) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      ended = true;
      return denoise(x, step, want);
    };
    const noise = (): never => {
      throw new UserError('no noise');
    };
    await expect(run(ddim({ eta: 1 })(input({ denoise: slow, noise })))).rejects.toThrow(
      'no noise',
    );
    expect(ended).toBe(true);
  });

  it('yields every step, noisiest first, and returns the last x', async () => {
    const { states, x } = await run(ddpm({ variance: 'fixed_small' })(input()));
    expect(states.map(({ step }) => step)).toEqual(steps);
    expect(x).toBe(states.at(-1)!.x);
    // With the posterior's weights at the last step, x is x0 less the guidance.
    const { x0 } = states.at(-1)!;
    const g = randn(5, 0, SHAPE);
    x.data.forEach((v, i) => expect(v).toBeCloseTo(x0.data[i]! - 0.1 * g.data[i]!, 6));
  });

  it('asks for no noise at the last step, nor where there is no sigma', async () => {
    const asked: number[] = [];
    const noise: SamplerInput['noise'] = ({ index }) => {
      asked.push(index);
      return zero;
    };
    await run(ddpm({ variance: 'fixed_large' })(input({ noise })));
    expect(asked).toEqual([5, 4, 3, 2, 1]);
    await run(ddim({ eta: 0 })(input({ noise })));
    expect(asked).toHaveLength(5);
  });

  it('draws noise while the network runs', async () => {
    const order: string[] = [];
    const slow: Denoise = async (...asked) => {
      await new Promise(setImmediate);
      order.push('denoised');
      return denoise(...asked);
    };
    const noise: SamplerInput['noise'] = () => {
      order.push('noise');
      return zero;
    };
    await run(ddim({ eta: 1 })(input({ steps: steps.slice(-2), denoise: slow, noise })));
    expect(order).toEqual(['noise', 'denoised', 'denoised']);
  });

  it('leaves its input and what it has yielded alone', async () => {
    const x = randn(1, 0, SHAPE);
    const copies: Tensor[] = [];
    const yielded: Tensor[] = [];
    for await (const state of ddim({ eta: 1 })(input({ x }))) {
      yielded.push(state.x, state.x0);
      copies.push(structuredClone(state.x), structuredClone(state.x0));
    }
    expect(x).toEqual(randn(1, 0, SHAPE));
    expect(yielded).toEqual(copies);
  });

  it('gives a batch what its images get alone', async () => {
    const perImage: Denoise = async (x) => ({
      eps: x,
      x0: { shape: x.shape, data: x.data.map(Math.tanh) },
      gradient: { shape: x.shape, data: x.data.map(Math.cos) },
    });
    const cut = ({ data }: Tensor, image: number): Tensor => ({
      shape: [1, 1, 4, 4],
      data: data.slice(image * 16, (image + 1) * 16),
    });
    const whole = input({ guidance: dsg({ rate: 0.2, interval: 1 }), denoise: perImage });
    const batch = await run(ddim({ eta: 1 })(whole));
    for (const image of [0, 1, 2]) {
      const noise: SamplerInput['noise'] = (step) => cut(whole.noise(step, 0), image);
      const alone = await run(ddim({ eta: 1 })({ ...whole, x: cut(whole.x, image), noise }));
      expect(cut(batch.x, image)).toEqual(alone.x);
    }
  });

  it('stops between steps when aborted, with the reason of the signal', async () => {
    const controller = new AbortController();
    const sampling = ddim({ eta: 1 })(input({ signal: controller.signal }));
    await sampling.next();
    controller.abort(new Error('enough'));
    await expect(sampling.next()).rejects.toThrow('enough');
  });
});

describe('a NaN or infinity', () => {
  const spoil = (t: Tensor, value: number): Tensor => ({
    shape: t.shape,
    data: t.data.map((v, i) => (i === 2 * 16 + 3 ? value : v)),
  });

  it.each<[keyof Denoised & ('eps' | 'x0' | 'gradient'), number]>([
    ['eps', NaN],
    ['eps', -Infinity],
    ['x0', NaN],
    ['gradient', NaN],
    ['gradient', Infinity],
  ])('in %s (%f) is named with step, timestep and image', async (name, value) => {
    const spoilt: Denoise = async (x, step, want) => {
      const denoised = await denoise(x, step, want);
      return step.index === 3 ? { ...denoised, [name]: spoil(denoised[name]!, value) } : denoised;
    };
    const error = await run(ddim({ eta: 1 })(input({ denoise: spoilt }))).catch((e) => e);
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ step: steps[2], image: 2 });
    expect(error.message).toBe(
      `${name} is ${value} at step 3 (timestep 599), image 2 of the batch`,
    );
    expect(error.hint).toMatch(/try float32/);
  });

  it('in x, of a step that diverges, names what to try', async () => {
    const guidance = dps({ stepSize: 1e38 });
    const steep: Denoise = async (x) => ({ eps: zero, x0: zero, gradient: filled(x.shape, 1e3) });
    const error = await run(ddim({ eta: 1 })(input({ denoise: steep, guidance }))).catch((e) => e);
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error.message).toBe('x is -Infinity at step 5 (timestep 999), image 0 of the batch');
    expect(error.hint).toMatch(/smaller step size/);
  });
});

describe('a denoiser that breaks its word', () => {
  const wrong = filled([3, 2, 4, 4], 0);

  it.each<[string, Partial<Denoised>, RegExp]>([
    ['no gradient', {}, /gradient is missing, expected \[3,1,4,4\]/],
    ['a gradient of another shape', { gradient: wrong }, /gradient is \[3,2,4,4\]/],
    ['an x0 of another shape', { x0: wrong, gradient: zero }, /x0 is \[3,2,4,4\]/],
    ['a variance of another shape', { variance: wrong, gradient: zero }, /variance is \[3,2,4,4\]/],
  ])('is a defect: %s', async (_, denoised, message) => {
    const broken: Denoise = async () => ({ eps: zero, x0: zero, variance: zero, ...denoised });
    const sampling = run(ddpm({ variance: 'learned_range' })(input({ denoise: broken })));
    await expect(sampling).rejects.toThrow(RangeError);
    await expect(
      run(ddpm({ variance: 'learned_range' })(input({ denoise: broken }))),
    ).rejects.toThrow(message);
  });

  it('is an error of the choice of variance where the network predicts none', async () => {
    const error = await run(ddpm({ variance: 'learned_range' })(input())).catch((e) => e);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(/predicts a variance/);
    expect(error.hint).toMatch(/fixed_small/);
  });
});
