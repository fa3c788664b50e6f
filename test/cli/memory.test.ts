/** `--memory`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { relativeError } from '../helpers/random.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import { expectDone, restore, writePicture } from './harness.ts';

const folder = temporaryFolder();
// Large enough for values that are worth a second computation.
const image = await writePicture(join(folder, 'picture.png'), 32);
const blur = ['--task', 'deblur', '--kernel-size', '5', '--kernel-std', '1', '--simulate'];

describe('--memory', () => {
  it('changes no more than rounding, and is recorded', async () => {
    const restored = async (memory: string) => {
      const out = join(folder, memory);
      const given = ['--steps', '2', '--format', 'npy', '--memory', memory, '-o', out];
      expectDone(await restore([image, ...blur, ...given]));
      return readNpy(join(out, 'picture.npy'));
    };
    const balanced = await restored('balanced');
    for (const memory of ['low', 'fast']) {
      expect(relativeError(await restored(memory), balanced)).toBeLessThan(1e-3);
      const { options } = JSON.parse(readFileSync(join(folder, memory, 'picture.json'), 'utf8'));
      expect(options.memory).toBe(memory);
    }
  });
});
