/** The devices of Vulkan, which ONNX Runtime's WebGPU provider runs on outside macOS. */
import { createRequire } from 'node:module';

export interface VulkanDevice {
  readonly name: string;
  /** `cpu` is a driver that computes in software. */
  readonly kind: 'other' | 'integrated' | 'discrete' | 'virtual' | 'cpu';
}

/** VkPhysicalDeviceType, in its order. */
const kinds = ['other', 'integrated', 'discrete', 'virtual', 'cpu'] as const;
/** VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO; all else in the structure is 0 for nothing asked for. */
const instanceCreateInfo = { bytes: 64, type: 1 } as const;
/** VkPhysicalDeviceProperties: its size with room to spare, and where the type and name are. */
const properties = { bytes: 1024, type: 16, name: 20, nameBytes: 256 } as const;
const mostDevices = 16;

/**
 * What Vulkan's loader lists, in its order.
 * @returns undefined where there is no loader, or no way to call it (the optional package koffi)
 */
export function vulkanDevices(): VulkanDevice[] | undefined {
  const vulkan = load();
  if (!vulkan) return undefined;
  const info = Buffer.alloc(instanceCreateInfo.bytes);
  info.writeInt32LE(instanceCreateInfo.type);
  const instance = new BigUint64Array(1);
  if (vulkan.createInstance(info, null, instance) !== 0) return [];
  const handle = instance[0] as bigint;
  try {
    const count = Uint32Array.of(mostDevices);
    const devices = new BigUint64Array(mostDevices);
    // 5 is VK_INCOMPLETE: there are more.
    if (![0, 5].includes(vulkan.enumerate(handle, count, devices))) return [];
    return [...devices.subarray(0, count[0])].map((device) => {
      const found = Buffer.alloc(properties.bytes);
      vulkan.describe(device, found);
      const name = found.subarray(properties.name, properties.name + properties.nameBytes);
      return {
        name: name.subarray(0, name.indexOf(0)).toString('utf8'),
        kind: kinds[found.readInt32LE(properties.type)] ?? 'other',
      };
    });
  } finally {
    vulkan.destroyInstance(handle, null);
  }
}

interface Vulkan {
  createInstance(info: Buffer, allocator: null, instance: BigUint64Array): number;
  enumerate(instance: bigint, count: Uint32Array, devices: BigUint64Array): number;
  describe(device: bigint, properties: Buffer): void;
  destroyInstance(instance: bigint, allocator: null): void;
}

function load(): Vulkan | undefined {
  const file = process.platform === 'win32' ? 'vulkan-1.dll' : 'libvulkan.so.1';
  try {
    const koffi = createRequire(import.meta.url)('koffi');
    const library = koffi.load(file);
    const func = (declaration: string) => library.func(declaration);
    // Handles are pointers, and a pointer goes where an integer of its width does.
    return {
      createInstance: func('int vkCreateInstance(void *info, void *allocator, void *instance)'),
      enumerate: func(
        'int vkEnumeratePhysicalDevices(uint64_t instance, void *count, void *devices)',
      ),
      describe: func('void vkGetPhysicalDeviceProperties(uint64_t device, void *properties)'),
      destroyInstance: func('void vkDestroyInstance(uint64_t instance, void *allocator)'),
    };
  } catch {
    return undefined;
  }
}
