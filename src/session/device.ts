/** Which execution provider runs a graph. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import { UserError } from '../errors.ts';
import { hasNvidiaDriver, lacksVulkanDevice, webgpuHardware } from './hardware.ts';
import { requireOpenVino } from './openvino-library.ts';

export type Device = 'auto' | 'cpu' | 'cuda' | 'webgpu' | 'openvino';

/** The providers that this installation of ONNX Runtime can load. */
export function installedProviders(): string[] {
  return ort
    .listSupportedBackends()
    .map((b) => b.name)
    .filter((name) => !downloaded.includes(name) || providerLibrary(name) !== undefined);
}

/** The package names these among its backends whether or not their libraries were ever downloaded. */
const downloaded = ['cuda', 'tensorrt'];

/** The file of a provider that the package comes without; undefined where it was not put there. */
export function providerLibrary(name: string): string | undefined {
  const folder = path.join(packageFolder(), 'bin/napi-v6', process.platform, process.arch);
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const file = files.find((f) => f.includes(`providers_${name}`));
  return file && path.join(folder, file);
}

function packageFolder(): string {
  return path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
}

export interface Choice {
  readonly device: Exclude<Device, 'auto'>;
  /** Why `auto` stands for it; undefined where it was asked for. */
  readonly why?: string;
}

let automatic: Choice | undefined;

/**
 * The device that is asked for; `auto` stands for CUDA, else WebGPU where there is a real GPU, else
 * the CPU.
 * @throws UserError if a provider is asked for that is not installed, or has nothing to run on: no silent
 * fall-back
 */
export function explainDevice(device: Device): Choice {
  if (device === 'auto') return (automatic ??= chooseAutomatically());
  if (device === 'openvino') {
    requireOpenVino();
    return { device };
  }
  const installed = installedProviders();
  if (device === 'webgpu' && installed.includes(device) && lacksVulkanDevice())
    throw new UserError(
      `device ${device}: Vulkan finds no GPU, nor a driver that does without one`,
      {
        hint: "install the GPU's Vulkan driver (`dsg doctor` shows what is found), or use --device cpu",
      },
    );
  if (installed.includes(device)) return { device };
  throw new UserError(
    `device ${device}: this installation has no such provider (it has ${installed.join(', ')})`,
    { hint: device === 'cuda' ? cudaRemedy() : 'use --device cpu' },
  );
}

export function chooseDevice(device: Device): Choice['device'] {
  return explainDevice(device).device;
}

function chooseAutomatically(): Choice {
  const installed = installedProviders();
  const cuda = installed.includes('cuda');
  if (cuda && hasNvidiaDriver()) return { device: 'cuda', why: 'its provider is installed' };
  const noCuda = cuda ? 'the NVIDIA driver is missing' : 'no CUDA provider';
  const gpu = installed.includes('webgpu') ? webgpuHardware() : undefined;
  if (gpu !== undefined) return { device: 'webgpu', why: `${noCuda}, ${gpu}` };
  return { device: 'cpu', why: `${noCuda}, no GPU for WebGPU` };
}

/** As in `cpu`, or `cpu (auto: no CUDA provider, no GPU for WebGPU)`. */
export function showDevice(wanted: Device): string {
  const { device, why } = explainDevice(wanted);
  return why === undefined ? device : `${device} (auto: ${why})`;
}

/** How the CUDA provider comes into this installation. */
function cudaRemedy(): string {
  if (process.platform === 'linux' && process.arch === 'x64')
    return `${cudaInstall()}   (with CUDA 12 and cuDNN 9; \`dsg doctor\` checks them)`;
  if (process.platform === 'win32')
    return 'ONNX Runtime for Node.js has CUDA on Linux x64 only: use --device webgpu, or dsg inside WSL 2';
  return 'ONNX Runtime for Node.js has CUDA on Linux x64 only: use --device webgpu or cpu';
}

/** Brings the provider's libraries, some hundred MB, into the package that dsg uses. */
export function cudaInstall(): string {
  const script = path.join(packageFolder(), 'script', 'install.js');
  return `ONNXRUNTIME_NODE_INSTALL=cuda12 node ${script}`;
}

/** The provider list of a session, the CPU last for what the device has no kernel for. */
export function providersFor(device: Device): string[] {
  const chosen = chooseDevice(device);
  return chosen === 'cpu' ? ['cpu'] : [chosen, 'cpu'];
}
