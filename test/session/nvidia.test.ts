import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { askNvidia, freeNvidiaMemory } from '../../src/session/nvidia.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();

/** A driver that answers so. */
function answering(text: string): void {
  const program = join(folder, 'nvidia-smi');
  writeFileSync(program, `#!/bin/sh\nprintf '${text}'\n`);
  chmodSync(program, 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
}

afterEach(() => vi.unstubAllEnvs());

test.skipIf(process.platform === 'win32')('the free memory is that of the fullest GPU', () => {
  answering('81000 MiB\\n1024 MiB\\n');
  expect(askNvidia('gpu', 'memory.free')).toEqual([['81000 MiB'], ['1024 MiB']]);
  expect(freeNvidiaMemory()).toBe(2 ** 30);
});

test.skipIf(process.platform === 'win32')('what does not tell is not taken for a number', () => {
  answering('[N/A]\\n');
  expect(freeNvidiaMemory()).toBeUndefined();
});

test('without a driver nothing is known', () => {
  vi.stubEnv('PATH', folder.concat('-missing'));
  expect(freeNvidiaMemory()).toBeUndefined();
});
