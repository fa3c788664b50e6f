/** The loop that samplers share: each step draws from a Gaussian whose mean is linear in x0 and x_t. */
import type { Step } from '../schedules/respace.ts';
import { sameShape, showShape, type Tensor } from '../tensor/tensor.ts';
import { assertFinite } from './finite.ts';
import type { Denoised, Sampler } from './sampler.ts';

/** x' = mu + sigma z with mu = ofX0 * x0 + ofX * x_t. */
export interface Transition {
  readonly ofX0: number;
  readonly ofX: number;
  readonly sigma: number | Tensor;
}

/**
 * A sampler that takes the given transition at every step, plain where the guidance abstains.
 * The last step takes the mean. Only x0 is used of the prediction, so that its clip is heeded.
 * @throws NonFiniteError for a NaN or infinity; the signal's reason when aborted.
 */
export function chain(transition: (denoised: Denoised, step: Step) => Transition): Sampler {
  return async function* ({ denoise, x: xT, steps, guidance, noise, signal }) {
    let x = xT;
    for (const step of steps) {
      signal?.throwIfAborted();
      const guided = guidance.guides(step);
      const denoised = await denoise(x, step, { gradient: guided });
      // A clip turns a NaN or infinity of eps into a plausible x0, so eps is looked at too.
      assertFinite('eps', denoised.eps, step);
      assertFinite('x0', expectShape('x0', denoised.x0, x), step);

      const { ofX0, ofX, sigma } = transition(denoised, step);
      if (typeof sigma !== 'number') expectShape('variance', sigma, x);
      const mean = combine(ofX0, denoised.x0, ofX, x);
      const sample = step.index === 0 || sigma === 0 ? mean : perturb(mean, sigma, noise(step));
      if (guided) {
        const gradient = expectShape('gradient', denoised.gradient, x);
        assertFinite('gradient', gradient, step);
        x = guidance.apply({ step, sample, mean, sigma, gradient, loss: denoised.loss });
      } else x = sample;
      assertFinite('x', x, step);

      const { x0, loss } = denoised;
      yield loss ? { step, x, x0, loss } : { step, x, x0 };
    }
    return x;
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
