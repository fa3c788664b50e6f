/** The GPUs of this machine, as far as providers can use them. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { vulkanDevices, type VulkanDevice } from './vulkan.ts';

/** Where the driver of NVIDIA shows that it is loaded, also inside WSL. */
const nvidiaFiles: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['/proc/driver/nvidia/version', '/usr/lib/wsl/lib/libcuda.so.1'],
  win32: [path.join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'nvcuda.dll')],
};

export function hasNvidiaDriver(): boolean {
  return (nvidiaFiles[process.platform] ?? []).some((file) => existsSync(file));
}

/**
 * The GPU that WebGPU would use, by name; undefined where there is none, or none that can be told
 * from a driver that computes in software.
 */
export function webgpuHardware(): string | undefined {
  // Metal is there on every Mac that runs Node.js.
  if (process.platform === 'darwin') return 'Metal';
  if (!mayHaveGpu()) return undefined;
  return listed()?.find(({ kind }) => kind !== 'cpu' && kind !== 'other')?.name;
}

/** Whether WebGPU would find nothing, not even a driver in software; false where that cannot be told. */
export function lacksVulkanDevice(): boolean {
  if (process.platform !== 'linux') return false;
  return listed()?.length === 0;
}

let asked: { readonly devices: readonly VulkanDevice[] | undefined } | undefined;

/** Asked once: drivers are loaded for the answer, and every session wants it. */
function listed(): readonly VulkanDevice[] | undefined {
  asked ??= { devices: vulkanDevices() };
  return asked.devices;
}

/** Spares machines without a GPU the loading of Vulkan. */
function mayHaveGpu(): boolean {
  if (process.platform !== 'linux') return true;
  const nodes = existsSync('/dev/dri') ? readdirSync('/dev/dri') : [];
  return (
    nodes.some((name) => name.startsWith('renderD')) ||
    ['/dev/nvidia0', '/dev/dxg'].some((file) => existsSync(file))
  );
}
