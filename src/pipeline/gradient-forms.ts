/** How gradients are written for a device. */
import { gpuForms, type GradientOptions } from '../autodiff/gradients.ts';
import { chooseDevice, type Device } from '../session/device.ts';

const gpus: readonly Device[] = ['cuda', 'webgpu'];

export function gradientOptions({ device = 'cpu' }: { readonly device?: Device }): GradientOptions {
  return gpus.includes(chooseDevice(device)) ? { forms: gpuForms } : {};
}
