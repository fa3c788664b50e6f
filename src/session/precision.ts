/** The type of numbers that the network is computed in; graphs take and give float32 either way. */
import { UserError } from '../errors.ts';
import type { Device } from './device.ts';

export const precisions = ['fp32', 'bf16'] as const;
export type Precision = (typeof precisions)[number];

/** @throws UserError for a precision that the device cannot be asked for */
export function checkPrecision(device: Device, precision: Precision): void {
  if (precision === 'fp32' || device === 'openvino') return;
  throw new UserError(`precision ${precision}: device ${device} computes in fp32 only`, {
    hint: 'add --device openvino, or leave --precision out',
  });
}
