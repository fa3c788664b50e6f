/** The type of numbers that the network is computed in; graphs take and give float32 either way. */
import { UserError } from '../errors.ts';
import type { Device } from './device.ts';

export const precisions = ['fp32', 'fp16', 'bf16'] as const;
export type Precision = (typeof precisions)[number];

/**
 * ONNX Runtime's CPU provider takes float16 too, and computes it in float32 between casts: slower, and
 * less exact.
 */
const available: Readonly<Record<Exclude<Device, 'auto'>, readonly Precision[]>> = {
  cpu: ['fp32'],
  cuda: ['fp32', 'fp16'],
  webgpu: ['fp32', 'fp16'],
  openvino: ['fp32', 'bf16'],
};

const hints: Readonly<Record<Precision, string>> = {
  fp32: 'leave --precision out',
  fp16: 'fp16 is for GPUs: add --device cuda or webgpu, or leave --precision out',
  bf16: 'add --device openvino, or leave --precision out',
};

/** @throws UserError for a precision that the device cannot be asked for */
export function checkPrecision(device: Exclude<Device, 'auto'>, precision: Precision): void {
  const known = available[device];
  if (known.includes(precision)) return;
  throw new UserError(
    `precision ${precision}: device ${device} computes in ${known.join(' or ')}${known.length === 1 ? ' only' : ''}`,
    { hint: hints[precision] },
  );
}
