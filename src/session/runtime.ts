/** What runs a graph on this machine: another one may want the graph written otherwise. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { env } from 'onnxruntime-node';
import { chooseDevice, type Device } from './device.ts';
import { openVinoRecord } from './openvino-library.ts';

/**
 * ONNX Runtime's version, the device, and what it depends on. For the CPU that is the processor with
 * its instruction sets: weights are laid out for the widest vectors that it has, and kernels take
 * that for granted, so that a layout made on another machine would give wrong values.
 */
export function runtimeOf(device: Device): string[] {
  const chosen = chooseDevice(device);
  const below = { cpu: processor, cuda: nvidiaDriver, webgpu: nvidiaDriver, openvino }[chosen];
  return [`onnxruntime ${env.versions.node}`, chosen, below()];
}

function processor(): string {
  return [process.platform, process.arch, cpus()[0]?.model, instructionSets()].join();
}

function openvino(): string {
  return [processor(), ...Object.values(openVinoRecord())].join();
}

/** As Linux lists them; a virtual machine may hide some of what the model of the processor has. */
function instructionSets(): string {
  return /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readIfThere('/proc/cpuinfo'))?.[1] ?? '';
}

function nvidiaDriver(): string {
  return readIfThere('/proc/driver/nvidia/version').split('\n')[0] as string;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
