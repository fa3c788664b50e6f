/** What computes a result, which its bytes follow from. */
import { chooseDevice, showDevice, type Device } from '../session/device.ts';
import { openVinoRecord } from '../session/openvino-library.ts';
import type { Memory } from '../session/memory.ts';
import { checkPrecision, type Precision } from '../session/precision.ts';
import type { SessionOptions } from '../session/session.ts';

export interface Computing {
  readonly device: Device;
  readonly precision: Precision;
  readonly memory: Memory;
}

/** What the options say of the sessions to open. */
export function sessionOf({ device, precision, memory }: Computing): SessionOptions {
  return { device, precision, memory };
}

/**
 * For the record: the device in use, what it computes in if not float32, and the library if it is the
 * user's own.
 * @throws UserError if the device is not there, or has not the precision
 */
export function computing({ device, precision, memory }: Computing): object {
  const chosen = chooseDevice(device);
  checkPrecision(chosen, precision);
  return {
    device: chosen,
    ...(precision !== 'fp32' && { precision }),
    ...(memory !== 'balanced' && { memory }),
    ...(chosen === 'openvino' && { library: openVinoRecord() }),
  };
}

/** As in `openvino in bf16`, or `cpu (auto: no CUDA provider, no GPU for WebGPU)`. */
export function showComputing({ device, precision }: Omit<Computing, 'memory'>): string {
  return showDevice(device) + (precision === 'fp32' ? '' : ` in ${precision}`);
}
