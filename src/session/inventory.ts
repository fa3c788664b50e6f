/** What this machine has that networks can run on, and what is missing. */
import { closeSync, existsSync, openSync, readSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { env } from 'onnxruntime-node';
import { installedProviders, providerLibrary } from './device.ts';
import { askNvidia } from './nvidia.ts';
import { findOpenVino } from './openvino-library.ts';
import { output } from './output.ts';
import { vulkanDevices, type VulkanDevice } from './vulkan.ts';

export interface Inventory {
  readonly node: string;
  readonly system: string;
  readonly onnxruntime: string;
  /** Providers of ONNX Runtime whose libraries are installed. */
  readonly providers: readonly string[];
  /** NVIDIA's driver with the GPUs that it knows; undefined where it does not answer. */
  readonly nvidia: readonly Gpu[] | undefined;
  /** What the CUDA provider needs; undefined where there is no such provider. */
  readonly cuda: Cuda | undefined;
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

export type CudaVersion = 12 | 13;

export interface Cuda {
  /** The major version that the provider is, or would be, linked against. */
  readonly version: CudaVersion;
  /** What it loads. */
  readonly libraries: readonly Library[];
}

export interface Library {
  readonly name: string;
  /** The file, whose name tells the whole version. */
  readonly file: string | undefined;
}

/** What ONNX Runtime's CUDA provider and cuDNN 9 load. */
const cudaLibraries: Readonly<Record<CudaVersion, readonly string[]>> = {
  12: [
    'libcudart.so.12',
    'libcublas.so.12',
    'libcublasLt.so.12',
    'libnvrtc.so.12',
    'libcurand.so.10',
    'libcufft.so.11',
    'libcudnn.so.9',
  ],
  13: [
    'libcudart.so.13',
    'libcublas.so.13',
    'libcublasLt.so.13',
    'libnvrtc.so.13',
    'libcurand.so.10',
    'libcufft.so.12',
    'libcudnn.so.9',
  ],
};

export function takeInventory(): Inventory {
  const { platform, arch } = process;
  return {
    node: process.version,
    system: `${platform} ${arch}`,
    onnxruntime: env.versions.node ?? '',
    providers: installedProviders(),
    nvidia: nvidiaGpus(),
    cuda: platform === 'linux' && arch === 'x64' ? takeCuda() : undefined,
    vulkan: platform === 'darwin' ? undefined : vulkanDevices(),
    openvino: findOpenVino(),
  };
}

function nvidiaGpus(): Gpu[] | undefined {
  const gpus = askNvidia('gpu', 'name', 'driver_version', 'memory.total');
  return gpus?.map(([name = '', driver = '', memory = '']) => ({ name, driver, memory }));
}

function takeCuda(): Cuda {
  const provider = providerLibrary('cuda');
  const version = provider === undefined ? 12 : linkedCuda(provider);
  return { version, libraries: cudaLibraries[version].map(findLibrary) };
}

/**
 * The version of CUDA that a provider is linked against; 12, which onnxruntime-node's own script brings,
 * where it does not tell. Its dynamic string table is near the file's beginning, and only that is read:
 * there are hundreds of MB, with names of other versions among them.
 */
export function linkedCuda(provider: string): CudaVersion {
  const head = Buffer.alloc(2 ** 20);
  const file = openSync(provider, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return head.includes('libcudart.so.13\0') ? 13 : 12;
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
