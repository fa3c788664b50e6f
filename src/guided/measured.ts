/** Data fidelity as a loss: how far A(x̂₀) is from the measurement. */
import { UserError } from '../errors.ts';
import type { Loss } from '../losses/loss.ts';
import { negativeLogLikelihood, residualNorm } from '../losses/measurement.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { measuredValues, visible, type Operator, type Spectrum } from '../operators/operator.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** That of the DPS and DSG articles. */
export const usualSigma = 0.05;

/** What rounding to 8 bits leaves, on [-1,1]: no measurement is taken to be more exact. */
const ROUNDING = 2 / 255 / Math.sqrt(12);

export interface FidelityOptions {
  /**
   * v, from 0: x0 is taken to be Gaussian around x̂₀ with variance r_t² = v (1−ᾱ). 0, the default,
   * is the plain norm; or for the likelihood a variance that follows from the residual.
   */
  readonly whiten?: number | undefined;
  /** Standard deviation of the measurement's noise on [-1,1]; `usualSigma` where nobody knows. */
  readonly sigma?: number | undefined;
  /** −log p(y|x_t) in place of a norm. */
  readonly likelihood?: boolean | undefined;
}

/**
 * ‖y − A(x̂₀)‖₂ (Chung et al. 2023, DPS, algorithm 1); or with M = σ² I + r_t² A Aᵀ, the covariance
 * that y has around A(x̂₀), one of two that count a residual r by what it can be expected to be:
 * whitened, σ ‖M^{-1/2} r‖₂, which is the norm at the end, where ᾱ is 1; or ½ rᵀ M⁻¹ r, which is
 * −log p(y|x_t) but for what does not depend on r. Both have the direction of Song et al.,
 * Pseudoinverse-Guided Diffusion Models for Inverse Problems (ICLR 2023), equation 7, where v = 1.
 * @param measurement y, `[C,H,W]`; what the operator hides is not looked at
 * @throws UserError for a v that is negative or not finite
 */
export function measurementLoss(
  operator: Operator,
  measurement: Tensor,
  { whiten = 0, sigma = usualSigma, likelihood = false }: FidelityOptions = {},
): Loss {
  if (!(whiten >= 0 && whiten < Infinity))
    throw new UserError(`whitening by ${whiten}, expected a number from 0`, {
      hint: '0 is the plain norm, 1 that of pseudoinverse guidance',
    });
  const kind = `${whiten > 0 ? 'whitened' : ''}${likelihood ? 'likelihood' : ''}`;
  // Fed, so that images of other noise share the graph.
  const fed = {
    sigma: Math.max(sigma, ROUNDING),
    ...(whiten > 0 ? { variance: whiten } : { count: measuredValues(operator, measurement) }),
  };
  return {
    signature: [kind, operator.signature, ...measurement.shape].join(),
    parameters: {
      ...operator.parameters,
      measurement: visible(operator, measurement),
      ...(kind && Object.fromEntries(Object.entries(fed).map(([name, v]) => [name, scalar(v)]))),
    },
    value(b, image, parameters, { noise }) {
      const residual = residualOf(b, image, parameters);
      const { sigma: s } = parameters;
      if (!s || !noise) return residualNorm(b, residual);
      const { coordinates, variance } = expected(b, residual, parameters, noise);
      const whitened = b.div(coordinates, b.op('Sqrt', [variance]));
      return likelihood ? negativeLogLikelihood(b, b.div(whitened, s)) : residualNorm(b, whitened);
    },
    ...(likelihood && {
      reach(b, { image, gradient }, parameters, { signal, noise }) {
        const residual = residualOf(b, image, parameters);
        const { coordinates, variance } = expected(b, residual, parameters, noise);
        const moved = operator.spectrum(b, operator.A(b, gradient, parameters), parameters);
        const rate = b.div(square(b, noise), signal);
        return reachOf(b, coordinates, b.mul(rate, moved.coordinates), variance);
      },
    }),
  };

  function residualOf(b: GraphBuilder, image: Value, parameters: Given): Value {
    // An operator that cannot take the image says so better than a shape does.
    const [, c = 0, h = 0, w = 0] = image.shape;
    operator.measured([c, h, w]);
    const { measurement: y } = parameters;
    if (!y) throw new Error('measurementLoss: no measurement');
    return b.sub(y, operator.A(b, image, parameters));
  }

  /** A residual along the spectrum, and the variances to be expected there in units of σ². */
  function expected(
    b: GraphBuilder,
    residual: Value,
    parameters: Given,
    noise: Value,
  ): { coordinates: Value; variance: Value } {
    const spectrum = operator.spectrum(b, residual, parameters);
    const { sigma: s, variance: v, count } = parameters as Record<string, Value> & { sigma: Value };
    const ratio = v
      ? b.mul(v, square(b, b.div(noise, s)))
      : unexplained(b, spectrum, { sigma: s, count: count as Value });
    const variance = plusOne(b, b.mul(ratio, spectrum.power));
    return { coordinates: spectrum.coordinates, variance };
  }
}

type Given = Readonly<Record<string, Value>>;

/** How much longer than the cautious step it may be; see below. */
const BOLD = 1.5;

/**
 * How far to follow the gradient g = −Jᵀ Aᵀ p of the likelihood, p = M⁻¹ r. The covariance of y is
 * σ² I + (1−ᾱ)/√ᾱ A J Aᵀ, of which M is only a guess with r_t² I in place of J; q is that covariance
 * times p, and r if the guess is right. Steepest descent goes as far as pᵀr / pᵀq, one step of the
 * conjugate gradients of Rozet et al., Learning Diffusion Priors from Observations by Expectation
 * Maximization (2024), section 4, with M for a preconditioner. J of a network is not quite symmetric
 * and positive, and then that can be anything: so it is bounded by what makes q as long as r, in the
 * norm of M⁻¹, which lies between steepest descent and the least residual, times `BOLD`.
 * @param r in the coordinates of the spectrum
 * @param moved (1−ᾱ)/√ᾱ A g, in the same
 * @param variance M's diagonal in units of σ²
 * @returns `[N]`
 */
function reachOf(b: GraphBuilder, r: Value, moved: Value, variance: Value): Value {
  const root = b.op('Sqrt', [variance]);
  const whitened = b.div(r, root);
  const q = b.div(b.sub(b.div(r, variance), moved), root);
  const dot = (u: Value, v: Value): Value => b.reduce('Sum', b.mul(u, v), [1, 2, 3], false);
  const [rr, rq, qq] = [dot(whitened, whitened), dot(whitened, q), dot(q, q)];
  // Without a residual there is nowhere to go; where pᵀq is negative, the bound is all there is.
  const above = (v: Value): Value => b.op('Max', [v, b.scalar(1e-20, v)]);
  const bound = b.scale(b.op('Sqrt', [b.div(rr, above(qq))]), BOLD);
  return b.op('Min', [b.div(rr, above(rq)), bound]);
}

/** r_t²/σ² is taken at ratios of e^(1/8): between them it is constant, and so has no gradient. */
const STEPS = 8;

/**
 * r_t²/σ² by moments, as E‖r‖² = σ² m + r_t² tr A Aᵀ: `[N,1,1,1]`. Without the network's errors
 * at every noise level, which nobody has measured, what is left of y tells how far x̂₀ is off.
 */
function unexplained(
  b: GraphBuilder,
  { coordinates, power }: Spectrum,
  { sigma, count }: { readonly sigma: Value; readonly count: Value },
): Value {
  const sum = (v: Value): Value => b.reduce('Sum', v, [1, 2, 3]);
  const found = sum(square(b, b.div(coordinates, sigma)));
  const trace = sum(b.expand(power, coordinates.shape));
  // Where a mask hides everything, nothing was measured and nothing is left of it.
  const ratio = b.div(b.sub(found, count), b.op('Max', [trace, b.scalar(1e-6, trace)]));
  const least = b.scalar(0.01, ratio);
  const log = b.op('Log', [b.op('Max', [ratio, least])]);
  return b.op('Exp', [b.scale(b.op('Round', [b.scale(log, STEPS)]), 1 / STEPS)]);
}

function square(b: GraphBuilder, x: Value): Value {
  return b.mul(x, x);
}

function plusOne(b: GraphBuilder, x: Value): Value {
  return b.add(x, b.scalar(1, x));
}

/** One number for an image. */
function scalar(value: number): Tensor {
  return tensor([1, 1, 1], Float32Array.of(value));
}
