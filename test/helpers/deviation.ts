/**
 * How far guided steps end from the sphere on which the noise of an unguided one lies, on images
 * whose ε is known exactly.
 */
import type { Guidance, Proposal } from '../../src/guidance/guidance.ts';
import { measurementLoss } from '../../src/guided/measured.ts';
import { operators } from '../../src/operators/operators.ts';
import { degrade } from '../../src/pipeline/degrade.ts';
import { openDenoiser } from '../../src/pipeline/denoiser.ts';
import { guidanceFor, type Method } from '../../src/pipeline/method.ts';
import type { Model } from '../../src/pipeline/model.ts';
import { ddim } from '../../src/samplers/ddim.ts';
import { imageNorms } from '../../src/tensor/batch.ts';
import { sizeOf, tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { linearSteps, randn, run } from './diffusion.ts';
import type { Mixture } from './mixture.ts';

const side = 16;
const image = [3, side, side] as const;
const size = sizeOf(image);
const deviation = 0.15;

/** Four images of waves, and a little of everything around each. */
export const waves: Mixture = {
  shape: image,
  weights: [0.25, 0.25, 0.25, 0.25],
  means: [1, 2, 3, 4].map((k) =>
    Array.from({ length: size }, (_, i) => {
      const [c, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
      return 0.5 * Math.sin(0.2 * k * (x + (k - 2) * y) + c);
    }),
  ),
  variances: [1, 2, 3, 4].map(() => new Array<number>(size).fill(deviation ** 2)),
};

export interface Deviation {
  /** N−1 at the noisiest step; the last one, 0, has no sphere. */
  readonly index: number;
  /** Of each image: ‖x' − μ‖ / (√n σ). 1 is on the sphere. */
  readonly ratios: readonly number[];
}

const batch = 4;

/**
 * Restores blurred samples of the waves, and measures where every step ends.
 * @param model the exact one of `waves`
 * @returns the deviations, and the root mean square error of the results
 */
export async function deviations(
  model: Model,
  method: Method,
  steps: number,
): Promise<{ found: Deviation[]; error: number }> {
  const operator = operators.gaussianBlur({ size: 9, std: 1.5 });
  const clean = Array.from({ length: batch }, (_, k) => {
    const z = randn(3, k, image).data;
    return tensor(
      image,
      z.map((v, i) => (waves.means[k]?.[i] ?? 0) + deviation * v),
    );
  });
  const subjects = await Promise.all(
    clean.map(async (x0, k) => {
      const y = await degrade(operator, x0, { sigma: 0.05, seed: 0, name: String(k) });
      return { losses: [measurementLoss(operator, y)] };
    }),
  );
  const denoiser = openDenoiser({
    model,
    like: subjects[0] ?? { losses: [] },
    batch,
    canvas: { height: side, width: side },
    placement: { image, top: 0, left: 0 },
    session: { threads: 1 },
  });
  const found: Deviation[] = [];
  const shape = [batch, ...image];
  const { x } = await run(
    ddim({ eta: 1 })({
      denoise: denoiser.bind(subjects),
      x: randn(4, 0, shape),
      steps: linearSteps(steps),
      guidance: watched(guidanceFor(method, steps), found),
      noise: ({ index }) => randn(5, index, shape),
    }),
  );
  await denoiser.release();
  const squares = x.data.map(
    (v, i) => (v - (clean[Math.floor(i / size)]?.data[i % size] ?? 0)) ** 2,
  );
  return { found, error: Math.sqrt(squares.reduce((sum, v) => sum + v, 0) / squares.length) };
}

/** A guidance that does what another does, and notes where its steps end. */
function watched(guidance: Guidance, found: Deviation[]): Guidance {
  return {
    ...guidance,
    guides: () => true,
    apply(proposal) {
      const { step, sample } = proposal;
      const next = guidance.guides(step) ? guidance.apply(proposal) : sample;
      if (step.index > 0) found.push({ index: step.index, ratios: ratiosOf(next, proposal) });
      return next;
    },
  };
}

function ratiosOf({ shape, data }: Tensor, { mean, sigma }: Proposal): number[] {
  if (typeof sigma !== 'number') throw new Error('watched: one sigma for all values is expected');
  const radius = Math.sqrt(size) * sigma;
  const noise = { shape, data: data.map((v, i) => v - (mean.data[i] ?? 0)) };
  return Array.from(imageNorms(noise), (norm) => norm / radius);
}
