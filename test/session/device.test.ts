import { expect, test } from 'vitest';
import { explainDevice, installedProviders } from '../../src/session/device.ts';
import { vulkanDevices } from '../../src/session/vulkan.ts';

test.skipIf(installedProviders().includes('cuda'))('CUDA, where it is not installed', () => {
  expect(() => explainDevice('cuda')).toThrow(
    'device cuda: this installation has no such provider',
  );
});

// Where Vulkan's loader cannot be asked, the provider itself says what it misses.
test.skipIf(process.platform !== 'linux' || vulkanDevices() === undefined)(
  'WebGPU, where Vulkan has no driver',
  () => {
    for (const name of ['VK_ICD_FILENAMES', 'VK_DRIVER_FILES'])
      process.env[name] = '/nowhere/driver.json';
    expect(() => explainDevice('webgpu')).toThrow('device webgpu: Vulkan finds no GPU');
    expect(explainDevice('auto').device).not.toBe('webgpu');
  },
);
