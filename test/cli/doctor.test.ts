import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { howToInstall, inspectMachine } from '../../src/cli/doctor.ts';
import type { Inventory } from '../../src/session/inventory.ts';
import { installedProviders } from '../../src/session/device.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { pipelineFolder } from '../helpers/latent.ts';
import { useSoftwareVulkan } from '../helpers/software-vulkan.ts';
import { dsg } from './harness.ts';
import { writeShrinking } from './models.ts';

const root = temporaryFolder();

test('this machine can run dsg on its CPU', async () => {
  const { code, stdout, stderr } = await dsg(['doctor', '--device', 'cpu']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^ok {3}Node\.js: v\d+/m);
  expect(stdout).toMatch(/^ok {3}ONNX Runtime: 1\.\d+\.\d+, with cpu/m);
  expect(stdout).toMatch(/^ok {3}device cpu: a guided step of 8×8 in [\d.e-]+ s$/m);
  expect(stdout).toMatch(/^--device auto is (cpu|cuda|webgpu): /m);
});

test('as JSON', async () => {
  const { code, stdout } = await dsg(['doctor', '--device', 'cpu', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: true,
    inventory: { node: process.version },
    findings: expect.arrayContaining([expect.objectContaining({ what: 'device cpu', ok: true })]),
  });
});

test.each([
  ['its own size', writeShrinking(join(root, 'fixed.onnx'), { size: 24, open: false }), [], 24],
  ['the size that is asked for', writeShrinking(join(root, 'open.onnx')), ['--size', '16'], 16],
  ['what its pipeline was trained on', pipelineFolder('sd15'), [], 64],
])('a model is tried at %s', async (_, model, options, side) => {
  const done = await dsg(['doctor', '--model', model, '--device', 'cpu', ...options]);
  expect(done).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`ok   device cpu: a guided step of ${side}×${side} in `),
  });
});

test('a model that cannot be tried', async () => {
  const fixed = join(root, 'fixed.onnx');
  const other = await dsg(['doctor', '--model', fixed, '--size', '16']);
  expect(other).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'fixed.onnx takes 24×24 only, and 16×16 is asked for\nhint: leave out --size',
    ),
  });
  const missing = await dsg(['doctor', '--model', join(root, 'none.onnx')]);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('none.onnx') });
});

test.skipIf(installedProviders().includes('cuda'))(
  'a device that is asked for and missing is a failure with its remedy',
  async () => {
    const { code, stdout } = await dsg(['doctor', '--device', 'cuda']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL device cuda: this installation has no such provider/m);
    expect(stdout).toMatch(/hint: .*(ONNXRUNTIME_NODE_INSTALL=cuda12|Linux x64 only)/);
  },
);

describe.skipIf(!useSoftwareVulkan())('with WebGPU in software', { timeout: 300_000 }, () => {
  test('the device is compared with the CPU, and auto does not take it for a GPU', async () => {
    const { code, stdout } = await dsg(['doctor', '--device', 'webgpu']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^- {4}Vulkan: .*SwiftShader.* \(cpu\)/m);
    expect(stdout).toMatch(/^ok {3}device webgpu: .*, agrees with the CPU to \de-\d$/m);
    expect(stdout).not.toMatch(/^--device auto is webgpu/m);
  });
});

const linux: Inventory = {
  node: 'v20.20.0',
  system: 'linux x64',
  onnxruntime: '1.30.0',
  providers: ['cpu', 'webgpu'],
  nvidia: undefined,
  cuda: { version: 12, libraries: [{ name: 'libcudnn.so.9', file: undefined }] },
  vulkan: [],
  openvino: undefined,
};
const whole = {
  version: 12,
  libraries: [{ name: 'libcudnn.so.9', file: '/usr/lib/libcudnn.so.9.8.0' }],
} as const;
const gpu = { name: 'NVIDIA H100', driver: '550.54', memory: '81559 MiB' };

describe('what is made of a machine', () => {
  const failures = (inventory: Partial<Inventory>): string[] =>
    inspectMachine({ ...linux, ...inventory })
      .filter((f) => f.ok === false)
      .map((f) => f.what);

  test.each<[string, Partial<Inventory>, string[]]>([
    ['without a GPU', {}, []],
    ['with a GPU and no CUDA', { nvidia: [gpu] }, []],
    [
      'with the CUDA provider and neither driver nor libraries',
      { providers: ['cpu', 'cuda'] },
      ['NVIDIA driver', 'CUDA libraries'],
    ],
    [
      'with all of it',
      {
        providers: ['cpu', 'cuda'],
        nvidia: [gpu],
        cuda: whole,
      },
      [],
    ],
    ['with an old Node.js', { node: 'v20.9.0' }, ['Node.js']],
    ['with a newer one', { node: 'v24.1.0' }, []],
  ])('%s', (_, inventory, expected) => {
    expect(failures(inventory)).toEqual(expected);
  });

  test('how CUDA is installed is said where it can be and is not', () => {
    const commands = howToInstall(linux).join('\n');
    expect(commands).toContain('pip install nvidia-cuda-runtime-cu12');
    expect(commands).toMatch(/ONNXRUNTIME_NODE_INSTALL=cuda12 node \S+install\.js/);
    const windows = howToInstall({ ...linux, system: 'win32 x64' }).join('\n');
    expect(windows).toContain('wsl --install');
    expect(windows).toContain('ONNXRUNTIME_NODE_INSTALL=cuda12');
    expect(howToInstall({ ...linux, providers: ['cpu', 'cuda'], cuda: whole })).toEqual([]);
    expect(howToInstall({ ...linux, system: 'darwin arm64' })).toEqual([]);
  });

  test('a provider without its libraries gets those of its version, and no other provider', () => {
    const cuda = {
      version: 13,
      libraries: [{ name: 'libcudart.so.13', file: undefined }],
    } as const;
    const machine: Inventory = { ...linux, providers: ['cpu', 'cuda'], cuda };
    const commands = howToInstall(machine).join('\n');
    expect(commands).toContain("'nvidia-cuda-runtime>=13,<14'");
    expect(commands).toContain('a driver of version 580 or newer');
    expect(commands).not.toMatch(/cu12|ONNXRUNTIME_NODE_INSTALL/);
    expect(inspectMachine(machine)).toContainEqual({
      what: 'CUDA libraries',
      ok: false,
      detail: 'missing: libcudart.so.13',
      remedy: expect.stringContaining('install CUDA 13 and cuDNN 9'),
    });
  });
});
