/** How gradients are written for a device, its precision and the memory that they may take. */
import { defaultForms, gpuForms } from '../autodiff/gradients.ts';
import type { DerivativeOptions } from '../guided/scaled.ts';
import { chooseDevice, type Device } from '../session/device.ts';
import type { SessionOptions } from '../session/session.ts';

const gpus: readonly Device[] = ['cuda', 'webgpu'];

const recomputed = { low: 'most', balanced: 'cheap', fast: 'nothing' } as const;

export function gradientOptions({
  device = 'cpu',
  precision,
  memory = 'balanced',
}: SessionOptions): DerivativeOptions {
  const forms = gpus.includes(chooseDevice(device)) ? gpuForms : defaultForms;
  return {
    forms: {
      ...forms,
      recompute: recomputed[memory],
      ...(memory === 'fast' && { attention: 'kept' as const }),
    },
    ...(precision === 'fp16' && { scaled: true }),
  };
}
