/** Which execution provider runs a graph. */
import * as ort from 'onnxruntime-node';
import { UserError } from '../errors.ts';

export const devices = ['auto', 'cpu', 'cuda', 'webgpu'] as const;
export type Device = (typeof devices)[number];

/** The providers that this installation of ONNX Runtime can load. */
export function installedProviders(): string[] {
  return ort.listSupportedBackends().map((b) => b.name);
}

/**
 * The provider list for a session; `auto` is CUDA where it is installed, else the CPU.
 * @throws UserError if a provider is asked for that is not installed: no silent fall-back
 */
export function providersFor(device: Device): string[] {
  const installed = installedProviders();
  if (device === 'auto') return installed.includes('cuda') ? ['cuda', 'cpu'] : ['cpu'];
  if (device === 'cpu') return ['cpu'];
  if (!installed.includes(device))
    throw new UserError(
      `device ${device}: this ONNX Runtime has no such provider (it has ${installed.join(', ')})`,
      {
        hint:
          device === 'cuda'
            ? 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node   (Linux x64, CUDA 12, cuDNN 9)'
            : 'use --device cpu',
      },
    );
  return [device, 'cpu'];
}
