/**
 * A Vulkan driver that computes in software, so that the WebGPU provider runs without a GPU: the
 * SwiftShader that Debian's chromium package brings (or VK_ICD_FILENAMES), and Vulkan's loader
 * (libvulkan1).
 */
import { existsSync } from 'node:fs';
import { installedProviders } from '../../src/session/device.ts';
import { vulkanDevices } from '../../src/session/vulkan.ts';

const driver = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Makes WebGPU run in software from here on, if it can; tests that need it skip where it cannot. */
export function useSoftwareVulkan(): boolean {
  if (existsSync(driver)) process.env['VK_ICD_FILENAMES'] ??= driver;
  return installedProviders().includes('webgpu') && (vulkanDevices() ?? []).length > 0;
}
