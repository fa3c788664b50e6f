/** Where OpenVINO's library is looked for, and what is said where it is not. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findOpenVino } from '../../src/session/openvino-library.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const root = temporaryFolder();

function file(...parts: string[]): string {
  const whole = path.join(root, ...parts);
  mkdirSync(path.dirname(whole), { recursive: true });
  writeFileSync(whole, '');
  return whole;
}

function find(
  environment: Record<string, string>,
  platform: NodeJS.Platform = 'linux',
): string | undefined {
  return findOpenVino({ environment, platform, home: path.join(root, 'home') });
}

describe('findOpenVino', () => {
  const packages = 'lib/python3.11/site-packages/openvino/libs';
  const inWheel = file('venv', packages, 'libopenvino_c.so.2641');
  file('venv', packages, 'libopenvino.so.2641');
  file('python/bin/python3');
  const onPath = file('python', packages, 'libopenvino_c.so.2500');
  const archive = file('archive/runtime/lib/intel64/libopenvino_c.so');
  const mac = file('mac', packages, 'libopenvino_c.2641.dylib');
  const windows = file('win/Lib/site-packages/openvino/libs/openvino_c.dll');
  const debian = file('debian/lib/x86_64-linux-gnu/libopenvino_c.so.2025.0');
  file('shims/python3');
  const older = file('versions/3.9.2', packages, 'libopenvino_c.so.1');
  const pyenv = file('versions/3.11.7', packages, 'libopenvino_c.so.2');
  const VIRTUAL_ENV = path.join(root, 'venv');
  const PATH = ['missing', 'python/bin'].map((f) => path.join(root, f)).join(':');

  it.each<[string, Record<string, string>, NodeJS.Platform, string]>([
    ['the wheel of the active environment', { VIRTUAL_ENV, PATH }, 'linux', inWheel],
    ['the wheel of the Python on PATH', { PATH }, 'linux', onPath],
    ['pyenv', { PATH: path.join(root, 'shims') }, 'linux', pyenv],
    ['an archive', { INTEL_OPENVINO_DIR: path.join(root, 'archive') }, 'linux', archive],
    ['macOS', { VIRTUAL_ENV: path.join(root, 'mac') }, 'darwin', mac],
    ['Windows', { VIRTUAL_ENV: path.join(root, 'win') }, 'win32', windows],
    ['a file named', { DSG_OPENVINO: older, VIRTUAL_ENV }, 'linux', older],
    ['a folder named', { DSG_OPENVINO: path.dirname(older), VIRTUAL_ENV }, 'linux', older],
    ['a prefix named', { DSG_OPENVINO: path.join(root, 'debian') }, 'linux', debian],
  ])('finds %s', (_, environment, platform, expected) => {
    expect(find(environment, platform)).toBe(expected);
  });

  it('does not fall back where the place named has none', () => {
    const DSG_OPENVINO = path.join(root, 'missing');
    expect(() => find({ DSG_OPENVINO, VIRTUAL_ENV })).toThrow(
      `DSG_OPENVINO: no OpenVINO C library (openvino_c) at ${DSG_OPENVINO}`,
    );
  });
});
