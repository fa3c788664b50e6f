/** How gradients are written for a device, its precision and the memory that they may take. */
import { defaultForms, gpuForms } from '../autodiff/gradients.ts';
import type { Forms } from '../autodiff/rule.ts';
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
  const chosen = chooseDevice(device);
  const forms = gpus.includes(chosen) ? gpuForms : defaultForms;
  return {
    forms: {
      ...forms,
      recompute: recomputed[memory],
      attention: memory === 'fast' ? 'kept' : attentionFor(chosen, forms),
    },
    ...(precision === 'fp16' && { scaled: true }),
  };
}

/** OpenVINO (2026.4) takes no Scan that reads what is made around it; forwards it fuses attention. */
function attentionFor(device: Device, { attention }: Forms): Forms['attention'] {
  return device === 'openvino' ? 'whole' : attention;
}
