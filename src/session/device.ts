/** Which execution provider runs a graph. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import { UserError } from '../errors.ts';
import { requireOpenVino } from './openvino-library.ts';

export const devices = ['auto', 'cpu', 'cuda', 'webgpu', 'openvino'] as const;
export type Device = (typeof devices)[number];

/** The providers that this installation of ONNX Runtime can load. */
export function installedProviders(): string[] {
  return ort
    .listSupportedBackends()
    .map((b) => b.name)
    .filter((name) => name !== 'cuda' || hasCudaLibrary());
}

/** The package names CUDA among its backends whether or not its library was ever downloaded. */
function hasCudaLibrary(): boolean {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const folder = path.join(entry, '../../bin/napi-v6', process.platform, process.arch);
  return existsSync(folder) && readdirSync(folder).some((f) => f.includes('providers_cuda'));
}

/**
 * The device that `auto` stands for: CUDA where it is installed, else the CPU.
 * @throws UserError if a provider is asked for that is not installed: no silent fall-back
 */
export function chooseDevice(device: Device): Exclude<Device, 'auto'> {
  if (device === 'openvino') {
    requireOpenVino();
    return device;
  }
  const installed = installedProviders();
  if (device === 'auto') return installed.includes('cuda') ? 'cuda' : 'cpu';
  if (installed.includes(device)) return device;
  throw new UserError(
    `device ${device}: this installation has no such provider (it has ${installed.join(', ')})`,
    {
      hint:
        device === 'cuda'
          ? 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node   (Linux x64 or Windows, CUDA 12, cuDNN 9)'
          : 'use --device cpu',
    },
  );
}

/** The provider list of a session, the CPU last for what the device has no kernel for. */
export function providersFor(device: Device): string[] {
  const chosen = chooseDevice(device);
  return chosen === 'cpu' ? ['cpu'] : [chosen, 'cpu'];
}
