/** Scores of results: against references, and against measurements. */
import { UserError } from '../errors.ts';
import type { Scores } from '../metrics/catalogue.ts';
import { luma, withoutBorder } from '../metrics/luma.ts';
import { psnr } from '../metrics/psnr.ts';
import { ssim } from '../metrics/ssim.ts';
import { measuredValues, type Operator } from '../operators/operator.ts';
import { sameShape, showShape, type Tensor } from '../tensor/tensor.ts';
import { applyOperator } from './degrade.ts';
import type { Perceptual } from './features.ts';

/** Below this side SSIM's window does not fit. */
const smallestSsim = 11;

export interface CompareOptions {
  /** Pixels left out at every edge, before anything is computed. */
  readonly border?: number;
  /** Score the Y channel as well. */
  readonly luma?: boolean;
  readonly perceptual?: Perceptual | undefined;
}

/**
 * Scores of a result against its reference, both `[3,H,W]`.
 * @throws UserError if their sizes differ or the border leaves nothing
 */
export async function compare(
  result: Tensor,
  reference: Tensor,
  options: CompareOptions = {},
): Promise<Scores> {
  const { border = 0, perceptual } = options;
  const [a, b] = [withoutBorder(result, border), withoutBorder(reference, border)];
  const scores = { psnr: psnr(a, b) };
  const large = Math.min(...a.shape.slice(1)) >= smallestSsim;
  const [lumaA, lumaB] = options.luma ? [luma(a), luma(b)] : [];
  return {
    ...scores,
    ...(large && { ssim: ssim(a, b) }),
    ...(lumaA && lumaB && { psnrY: psnr(lumaA, lumaB) }),
    ...(lumaA && lumaB && large && { ssimY: ssim(lumaA, lumaB) }),
    ...(perceptual && { lpips: await perceptual.distance(a, b) }),
  };
}

export interface Measurement {
  readonly operator: Operator;
  /** What the operator hides is zero: see `visible`. */
  readonly y: Tensor;
  /** Standard deviation of its noise on [-1,1], where it is known. */
  readonly sigma?: number | undefined;
}

/**
 * ‖y − A(x)‖₂ and, where there is noise, how it compares with the noise's.
 * @throws UserError for a result of another size than what was measured
 */
export async function residual(
  result: Tensor,
  { operator, y, sigma }: Measurement,
): Promise<{ readonly residual: number; readonly residualRatio?: number }> {
  const predicted = await applyOperator(operator, result);
  if (!sameShape(predicted.shape, y.shape))
    throw new UserError(
      `the measurement is ${showShape(y.shape)}, and one of such a result would be ${showShape(predicted.shape)}`,
      { hint: 'the record belongs to an image of another size' },
    );
  let sum = 0;
  for (let i = 0; i < y.data.length; i++) sum += (y.data[i]! - predicted.data[i]!) ** 2;
  const norm = Math.sqrt(sum);
  const noise = (sigma ?? 0) * Math.sqrt(measuredValues(operator, y));
  return { residual: norm, ...(noise > 0 && { residualRatio: norm / noise }) };
}
