/** What is said where `--device openvino` cannot be had. */
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { dsg } from './harness.ts';

const demo = path.join(import.meta.dirname, '../../assets/demo.png');
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('--device openvino', () => {
  const restore = ['restore', demo, '--task', 'deblur', '--simulate', '--steps', '2', '-o', 'out'];

  it('names the place where there is no library', async () => {
    vi.stubEnv('DSG_OPENVINO', '/missing');
    const { code, stderr } = await dsg([...restore, '--device', 'openvino']);
    expect(code).toBe(1);
    expect(stderr).toBe(
      'error: DSG_OPENVINO: no OpenVINO C library (openvino_c) at /missing\n' +
        'hint: name the file, or a folder that holds it\n',
    );
  });

  it('is needed for --precision bf16', async () => {
    const { code, stderr } = await dsg([...restore, '--device', 'cpu', '--precision', 'bf16']);
    expect(code).toBe(1);
    expect(stderr).toBe(
      'error: precision bf16: device cpu computes in fp32 only\n' +
        'hint: add --device openvino, or leave --precision out\n',
    );
  });
});
