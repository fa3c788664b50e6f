/** How gradients are written for a device. */
import { gpuForms } from '../autodiff/gradients.ts';
import type { DerivativeOptions } from '../guided/scaled.ts';
import { chooseDevice, type Device } from '../session/device.ts';
import type { SessionOptions } from '../session/session.ts';

const gpus: readonly Device[] = ['cuda', 'webgpu'];

export function gradientOptions({ device = 'cpu', precision }: SessionOptions): DerivativeOptions {
  return {
    ...(gpus.includes(chooseDevice(device)) && { forms: gpuForms }),
    ...(precision === 'fp16' && { scaled: true }),
  };
}
