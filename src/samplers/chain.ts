/** The loop that samplers share: each step draws from a Gaussian whose mean is linear in x0 and x_t. */
import { UserError } from '../errors.ts';
import type { Step } from '../schedules/respace.ts';
import { sameShape, showShape, tensor, type Tensor } from '../tensor/tensor.ts';
import { assertFinite } from './finite.ts';
import type { Denoised, Sampler, SamplerInput, SamplerState } from './sampler.ts';

/** x' = mu + sigma z with mu = ofX0 * x0 + ofX * x_t. */
export interface Transition {
  readonly ofX0: number;
  readonly ofX: number;
  readonly sigma: number | Tensor;
}

type TransitionOf = (denoised: Denoised, step: Step) => Transition;

export interface Temperature {
  /**
   * tau, from 0: every sigma is multiplied by it, and means are not, nor is noise that is put back, which
   * brings x' to the level of the step again. 1, the default, samples; less has samples that differ
   * less, nearer to what they have in common.
   */
  readonly temperature?: number | undefined;
}

/**
 * A sampler that takes the given transition at every step, plain where the guidance abstains.
 * The last step takes the mean; `noisy` tells whether the others have a sigma. Only x0 is used of the
 * prediction, so that its clip is heeded. Noise has a temperature, as in the DDIM sampler of Rombach et
 * al., High-Resolution Image Synthesis with Latent Diffusion Models (2022), published code.
 * @throws UserError if the temperature is negative or not finite; the sampler throws NonFiniteError
 * for a NaN or infinity, and the signal's reason when aborted.
 */
export function chain(
  transition: TransitionOf,
  noisy: boolean,
  { temperature = 1 }: Temperature,
): Sampler {
  if (!(temperature >= 0 && temperature < Infinity))
    throw new UserError(`temperature ${temperature}, expected a number from 0`, {
      hint: '1, the default, samples; 0.9 has samples that differ less',
    });
  const tempered: TransitionOf = (denoised, step) => {
    const { sigma, ...mean } = transition(denoised, step);
    return { ...mean, sigma: scaled(sigma, temperature) };
  };
  return async function* (input) {
    const { steps, travel, signal } = input;
    let { x } = input;
    for (const step of steps) {
      const passes = travel?.passes(step) ?? 1;
      const mean = travel?.averages?.(step) ? runningMean() : undefined;
      for (let pass = 0; pass < passes; pass++) {
        signal?.throwIfAborted();
        const draws = noisy && temperature > 0 && step.index !== 0;
        const taken = await take(tempered, input, { x, step, pass, draws });
        const last = pass + 1 === passes;
        const state = mean ? { ...taken, x: mean(taken.x) } : taken;
        if (last || mean) yield state;
        x = travel && !last ? goBack(taken.x, step, travel.noise(step, pass)) : state.x;
      }
    }
    return x;
  };
}

interface Standpoint {
  readonly x: Tensor;
  readonly step: Step;
  /** How often the step was taken before. */
  readonly pass: number;
  readonly draws: boolean;
}

/** One step from x_t. */
async function take(
  transition: TransitionOf,
  { denoise, guidance, noise, descend, reach }: SamplerInput,
  { x, step, pass, draws }: Standpoint,
): Promise<SamplerState> {
  const guided = guidance.guides(step);
  const coming = denoise(x, step, { gradient: guided });
  // Drawn while the network runs, where that has a thread of its own: on a GPU it takes as long.
  const drawn = draws ? await drawnDuring(coming, () => noise(step, pass)) : undefined;
  const denoised = await coming;
  // A clip turns a NaN or infinity of eps into a plausible x0, so eps is looked at too.
  assertFinite('eps', denoised.eps, step);
  assertFinite('x0', expectShape('x0', denoised.x0, x), step);
  const { eps, loss } = denoised;
  const gradient = guided ? expectShape('gradient', denoised.gradient, x) : undefined;
  if (gradient) assertFinite('gradient', gradient, step);
  // A logarithm of what is negative is NaN, and its slope is not.
  if (loss) assertFinite('loss', tensor([loss.length], Float32Array.from(loss)), step);

  const { x0, predicted } = denoised;
  const estimate = gradient && { step, x0, predicted, gradient, descend, reach };
  const bent = estimate && (await guidance.estimate?.(estimate));
  const { ofX0, ofX, sigma } = transition(denoised, step);
  if (typeof sigma !== 'number') expectShape('variance', sigma, x);
  const mean = combine(ofX0, bent ?? x0, ofX, x);
  const sample = drawn && sigma !== 0 ? perturb(mean, sigma, drawn) : mean;
  const next = gradient
    ? guidance.apply({ step, sample, mean, sigma, gradient, loss, eps, ofX0 })
    : sample;
  assertFinite('x', next, step);
  return loss ? { step, x: next, x0, loss } : { step, x: next, x0 };
}

/** What is drawn; an error is thrown once the network has come to its end, which may not be cut short. */
async function drawnDuring(coming: Promise<Denoised>, draw: () => Tensor): Promise<Tensor> {
  try {
    return draw();
  } catch (error) {
    await coming.catch(() => undefined);
    throw error;
  }
}

function scaled(sigma: number | Tensor, factor: number): number | Tensor {
  if (typeof sigma === 'number') return factor * sigma;
  return factor === 1 ? sigma : { shape: sigma.shape, data: sigma.data.map((s) => factor * s) };
}

/** Noise from the next step's level to this one's again: q(x_t | x') of the forward process. */
function goBack(x: Tensor, { beta }: Step, noise: Tensor): Tensor {
  return combine(Math.sqrt(1 - beta), x, Math.sqrt(beta), noise);
}

/** The mean of all that it was given by now. */
function runningMean(): (x: Tensor) => Tensor {
  let sum: Float64Array | undefined;
  let count = 0;
  return ({ shape, data }) => {
    sum ??= new Float64Array(data.length);
    count++;
    for (let i = 0; i < data.length; i++) sum[i]! += data[i]!;
    return { shape, data: Float32Array.from(sum, (v) => v / count) };
  };
}

function combine(a: number, { data: u }: Tensor, b: number, { shape, data: v }: Tensor): Tensor {
  const data = new Float32Array(v.length);
  for (let i = 0; i < data.length; i++) data[i] = a * u[i]! + b * v[i]!;
  return { shape, data };
}

function perturb({ shape, data: mean }: Tensor, sigma: number | Tensor, noise: Tensor): Tensor {
  const z = noise.data;
  const data = new Float32Array(mean.length);
  if (typeof sigma === 'number')
    for (let i = 0; i < data.length; i++) data[i] = mean[i]! + sigma * z[i]!;
  else for (let i = 0; i < data.length; i++) data[i] = mean[i]! + sigma.data[i]! * z[i]!;
  return { shape, data };
}

/** What `denoise` owes the sampler; anything else is a defect of the caller. */
function expectShape(name: string, value: Tensor | undefined, { shape }: Tensor): Tensor {
  if (!value || !sameShape(value.shape, shape))
    throw new RangeError(
      `denoise: ${name} is ${value ? showShape(value.shape) : 'missing'}, expected ${showShape(shape)}`,
    );
  return value;
}
