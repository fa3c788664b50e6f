/** What this machine has that networks can run on, and what is missing. */
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { env } from 'onnxruntime-node';
import { installedProviders } from './device.ts';
import { findOpenVino } from './openvino-library.ts';
import { vulkanDevices, type VulkanDevice } from './vulkan.ts';

export interface Inventory {
  readonly node: string;
  readonly system: string;
  readonly onnxruntime: string;
  /** Providers of ONNX Runtime whose libraries are installed. */
  readonly providers: readonly string[];
  /** NVIDIA's driver with the GPUs that it knows; undefined where it does not answer. */
  readonly nvidia: readonly Gpu[] | undefined;
  /** The libraries that the CUDA provider loads; undefined where there is no such provider. */
  readonly cuda: readonly Library[] | undefined;
  /** Undefined where Vulkan's loader is missing, or not what WebGPU runs on. */
  readonly vulkan: readonly VulkanDevice[] | undefined;
  /** File of OpenVINO's C library. */
  readonly openvino: string | undefined;
}

export interface Gpu {
  readonly name: string;
  readonly driver: string;
  readonly memory: string;
}

export interface Library {
  readonly name: string;
  /** The file, whose name tells the whole version. */
  readonly file: string | undefined;
}

/** What ONNX Runtime's CUDA provider for CUDA 12 and cuDNN 9 load. */
const cudaLibraries = [
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libnvrtc.so.12',
  'libcurand.so.10',
  'libcufft.so.11',
  'libcudnn.so.9',
];

export function takeInventory(): Inventory {
  const { platform, arch } = process;
  return {
    node: process.version,
    system: `${platform} ${arch}`,
    onnxruntime: env.versions.node ?? '',
    providers: installedProviders(),
    nvidia: nvidiaGpus(),
    cuda: platform === 'linux' && arch === 'x64' ? cudaLibraries.map(findLibrary) : undefined,
    vulkan: platform === 'darwin' ? undefined : vulkanDevices(),
    openvino: findOpenVino(),
  };
}

function nvidiaGpus(): Gpu[] | undefined {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
  const lines = output('nvidia-smi', query)?.trim().split('\n');
  return lines?.map((line) => {
    const [name = '', driver = '', memory = ''] = line.split(',').map((part) => part.trim());
    return { name, driver, memory };
  });
}

/** Where the loader of Linux would take a library from. */
function findLibrary(name: string): Library {
  const folders = (process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter(Boolean);
  const near = folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
  const cached = output('ldconfig', ['-p']) ?? output('/sbin/ldconfig', ['-p']) ?? '';
  const listed = cached.split('\n').find((line) => line.trim().startsWith(`${name} `));
  const found = near ?? listed?.split('=>')[1]?.trim();
  return { name, file: found !== undefined && existsSync(found) ? realpathSync(found) : undefined };
}

/** What a program prints; undefined where it is missing or fails. */
function output(program: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}
