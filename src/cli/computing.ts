/** What computes a result, which its bytes follow from. */
import { chooseDevice, showDevice, type Device } from '../session/device.ts';
import { openVinoRecord } from '../session/openvino-library.ts';
import { checkPrecision, type Precision } from '../session/precision.ts';

export interface Computing {
  readonly device: Device;
  readonly precision: Precision;
}

/**
 * For the record: the device in use, what it computes in if not float32, and the library if it is the
 * user's own.
 * @throws UserError if the device is not there, or has not the precision
 */
export function computing({ device, precision }: Computing): object {
  const chosen = chooseDevice(device);
  checkPrecision(chosen, precision);
  return {
    device: chosen,
    ...(precision !== 'fp32' && { precision }),
    ...(chosen === 'openvino' && { library: openVinoRecord() }),
  };
}

/** As in `openvino in bf16`, or `cpu (auto: no CUDA provider, no GPU for WebGPU)`. */
export function showComputing({ device, precision }: Computing): string {
  return showDevice(device) + (precision === 'fp32' ? '' : ` in ${precision}`);
}
