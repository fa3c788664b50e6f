/** Examines the machine: prints what is there, tries it, says what to put right. */
import { UserError } from '../errors.ts';
import { canvasFor, refuseOtherSize, usualSize } from '../pipeline/canvas.ts';
import { diagnose, diagnoseProbe, type Diagnosis } from '../pipeline/diagnosis.ts';
import { loadModel } from '../pipeline/model.ts';
import { cudaInstall, explainDevice, type Device } from '../session/device.ts';
import {
  takeInventory,
  type Cuda,
  type CudaVersion,
  type Inventory,
} from '../session/inventory.ts';
import { showError } from '../pipeline/trust.ts';
import type { DoctorValues } from './commands/doctor.ts';
import { painter, type Io } from './io.ts';
import { cardOverrides } from './model-card.ts';

export interface Finding {
  readonly what: string;
  /** Undefined where nothing is wrong, and yet there is something to know. */
  readonly ok: boolean | undefined;
  readonly detail: string;
  readonly remedy?: string;
}

/** The oldest Node.js that package.json allows. */
const oldestNode = [20, 19] as const;

/** @returns the exit code */
export async function examine(values: DoctorValues, io: Io): Promise<number> {
  const inventory = takeInventory();
  const tried = await trier(values);
  const findings: Finding[] = [];
  const found = (finding: Finding): void => {
    findings.push(finding);
    if (!values.json) print(finding, io);
  };
  for (const finding of inspectMachine(inventory)) found(finding);
  for (const device of devicesOf(values, inventory)) {
    io.signal?.throwIfAborted();
    found(await tryOut(device, tried));
  }
  const ok = findings.every((f) => f.ok !== false);
  const chosen = explainDevice('auto');
  if (values.json)
    io.stdout.write(`${JSON.stringify({ ok, auto: chosen, inventory, findings }, undefined, 2)}\n`);
  else {
    io.stdout.write(`\n--device auto is ${chosen.device}: ${chosen.why}\n`);
    for (const line of howToInstall(inventory)) io.stdout.write(`${line}\n`);
  }
  return ok ? 0 : 1;
}

/** Versions, drivers and libraries. */
export function inspectMachine(inventory: Inventory): Finding[] {
  const { node, system, onnxruntime, providers, vulkan, openvino } = inventory;
  const [major = 0, minor = 0] = node.slice(1).split('.').map(Number);
  const [least, leastMinor] = oldestNode;
  return [
    {
      what: 'Node.js',
      ok: major > least || (major === least && minor >= leastMinor),
      detail: `${node}, ${system}`,
      remedy: `Node.js ${oldestNode.join('.')} or newer`,
    },
    {
      what: 'ONNX Runtime',
      ok: providers.includes('cpu'),
      detail: `${onnxruntime}, with ${providers.join(', ')}`,
    },
    ...inspectCuda(inventory),
    {
      what: 'Vulkan',
      ok: undefined,
      detail: vulkan
        ? vulkan.map((d) => `${d.name} (${d.kind})`).join(', ') || 'no device'
        : system.startsWith('darwin')
          ? 'not needed: WebGPU runs on Metal'
          : 'no loader (libvulkan.so.1), or the optional package koffi is missing',
    },
    { what: 'OpenVINO', ok: undefined, detail: openvino ?? 'not found (pip install openvino)' },
  ];
}

function inspectCuda({ nvidia, cuda, providers }: Inventory): Finding[] {
  const installed = providers.includes('cuda');
  const needed = installed ? false : undefined;
  const driver: Finding = {
    what: 'NVIDIA driver',
    ok: nvidia ? true : needed,
    detail: nvidia
      ? nvidia.map((g) => `${g.driver}, ${g.name}, ${g.memory}`).join('; ')
      : 'nvidia-smi does not answer',
    remedy: 'install the driver of NVIDIA for this GPU',
  };
  if (!cuda) return [driver];
  const missing = missingLibraries(cuda);
  const libraries: Finding = {
    what: 'CUDA libraries',
    ok: missing.length === 0 ? true : needed,
    detail:
      missing.length === 0
        ? cuda.libraries.map((l) => l.file).join(', ')
        : `missing: ${missing.join(', ')}`,
    remedy: `install CUDA ${cuda.version} and cuDNN 9, and put their folders into LD_LIBRARY_PATH; see below`,
  };
  const provider: Finding = {
    what: 'CUDA provider',
    ok: installed || undefined,
    detail: installed ? `installed, for CUDA ${cuda.version}` : 'not installed',
  };
  return [driver, libraries, provider];
}

function missingLibraries(cuda: Cuda): string[] {
  return cuda.libraries.filter((l) => l.file === undefined).map((l) => l.name);
}

/** The devices to try: what was asked for, or those that are there. */
function devicesOf(
  { device }: DoctorValues,
  { providers, nvidia, vulkan, openvino, system }: Inventory,
): Exclude<Device, 'auto'>[] {
  if (device !== undefined) return [device];
  const webgpu = system.startsWith('linux') ? (vulkan ?? []).length > 0 : true;
  return [
    'cpu' as const,
    ...(providers.includes('cuda') && nvidia ? (['cuda'] as const) : []),
    ...(providers.includes('webgpu') && webgpu ? (['webgpu'] as const) : []),
    ...(openvino === undefined ? [] : (['openvino'] as const)),
  ];
}

type Try = (device: Exclude<Device, 'auto'>) => Promise<Diagnosis>;

/** @throws UserError for a model that cannot be read */
async function trier(values: DoctorValues): Promise<Try> {
  const { model: file, size, precision: wanted } = values;
  const sessionFor = (device: Device) => ({
    device,
    // Left to the devices that have it.
    precision: device === 'cpu' ? ('fp32' as const) : wanted,
  });
  if (file === undefined) return (device) => diagnoseProbe(sessionFor(device));
  const { overrides } = await cardOverrides(values);
  const model = await loadModel(file, overrides);
  const wish = size === undefined ? usualSize(model) : { height: size, width: size };
  refuseOtherSize(model, wish, '--size');
  const canvas = canvasFor(model, wish);
  return (device) => diagnose(model, canvas, sessionFor(device));
}

async function tryOut(device: Exclude<Device, 'auto'>, attempt: Try): Promise<Finding> {
  const what = `device ${device}`;
  try {
    const { canvas, seconds, error } = await attempt(device);
    const time = `a guided step of ${canvas.width}×${canvas.height} in ${seconds.toPrecision(2)} s`;
    const agreement = error === undefined ? '' : `, agrees with the CPU to ${showError(error)}`;
    return { what, ok: true, detail: `${time}${agreement}` };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message, hint } = error;
    const detail = message.replace(`${what}: `, '');
    return { what, ok: false, detail, ...(hint !== undefined && { remedy: hint }) };
  }
}

function print({ what, ok, detail, remedy }: Finding, io: Io): void {
  const paint = painter(io.stdout, io.env);
  const mark =
    ok === undefined ? paint('dim', '-   ') : ok ? paint('green', 'ok  ') : paint('red', 'FAIL');
  io.stdout.write(`${mark} ${what}: ${detail}\n`);
  if (ok === false && remedy) io.stdout.write(`     ${paint('cyan', 'hint:')} ${remedy}\n`);
}

/** The commands that bring CUDA, or what the provider that is there misses of it, where it can be had. */
export function howToInstall({ providers, system, cuda }: Inventory): string[] {
  if (providers.includes('cuda'))
    return cuda && missingLibraries(cuda).length > 0 ? ['', ...cudaOnLinux(cuda.version, [])] : [];
  if (system === 'linux x64') return ['', ...cudaOnLinux(12, [cudaInstall()])];
  if (system.startsWith('win32'))
    return [
      '',
      'CUDA: ONNX Runtime for Node.js has it on Linux x64 only. Inside WSL 2 it works, with the NVIDIA',
      'driver of Windows:',
      '  wsl --install Ubuntu',
      'and there, with Node.js and dsg installed:',
      ...cudaOnLinux(12, [cudaInstall()]).slice(1),
      'Without WSL, --device webgpu uses the GPU.',
    ];
  return [];
}

/** The packages of PyPI that hold the libraries, and the oldest driver that they run on. */
const cudaWheels: Readonly<Record<CudaVersion, { wheels: readonly string[]; driver: number }>> = {
  12: {
    wheels: [
      'nvidia-cuda-runtime-cu12',
      'nvidia-cuda-nvrtc-cu12',
      'nvidia-cublas-cu12',
      'nvidia-cufft-cu12',
      'nvidia-curand-cu12',
      "'nvidia-cudnn-cu12>=9'",
    ],
    driver: 525,
  },
  // cuFFT and cuRAND count versions of their own.
  13: {
    wheels: [
      "'nvidia-cuda-runtime>=13,<14'",
      "'nvidia-cuda-nvrtc>=13,<14'",
      "'nvidia-cublas>=13,<14'",
      "'nvidia-cufft>=12,<13'",
      "'nvidia-curand>=10.4,<11'",
      "'nvidia-cudnn-cu13>=9'",
    ],
    driver: 580,
  },
};

function cudaOnLinux(version: CudaVersion, install: readonly string[]): string[] {
  const { wheels, driver } = cudaWheels[version];
  return [
    `CUDA, for GPUs of NVIDIA (with a driver of version ${driver} or newer):`,
    `  python3 -m venv ~/.cuda && ~/.cuda/bin/pip install ${wheels.join(' ')}`,
    '  export LD_LIBRARY_PATH=$(echo ~/.cuda/lib/python3*/site-packages/nvidia/*/lib | tr " " :)',
    ...install.map((command) => `  ${command}`),
    '  dsg doctor --device cuda',
    `or CUDA ${version} and cuDNN 9 from the packages of NVIDIA for the distribution instead of the first two lines.`,
  ];
}
