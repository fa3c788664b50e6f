/** Data fidelity as a loss: how far A(x̂₀) is from the measurement. */
import type { Loss } from '../losses/loss.ts';
import { measurementNorm } from '../losses/measurement.ts';
import type { Operator } from '../operators/operator.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * ‖y − A(x̂₀)‖₂ (Chung et al. 2023, DPS, algorithm 1).
 * @param measurement y, `[C,H,W]`
 */
export function measurementLoss(operator: Operator, measurement: Tensor): Loss {
  return {
    signature: [operator.signature, ...measurement.shape].join(),
    parameters: { ...operator.parameters, measurement },
    value(b, image, { measurement: y, ...parameters }) {
      // An operator that cannot take the image says so better than a shape does.
      const [, c = 0, h = 0, w = 0] = image.shape;
      operator.measured([c, h, w]);
      if (!y) throw new Error('measurementLoss: no measurement');
      return measurementNorm(b, y, operator.A(b, image, parameters));
    },
  };
}
