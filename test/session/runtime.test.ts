/** What a derived graph is bound to, on a machine of which /proc/cpuinfo says something else. */
import type * as fs from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { runtimeOf } from '../../src/session/runtime.ts';

const said = vi.hoisted(() => ({ cpuinfo: '' }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  const readFileSync = (...given: Parameters<typeof real.readFileSync>): unknown =>
    given[0] === '/proc/cpuinfo' ? said.cpuinfo : real.readFileSync(...given);
  return { ...real, readFileSync };
});

function on(cpuinfo: string): string[] {
  said.cpuinfo = cpuinfo;
  return runtimeOf('cpu');
}

describe('the key of the CPU', () => {
  it.each([
    ['x86', 'flags\t\t: fpu avx2', 'flags\t\t: fpu avx2 avx512f'],
    ['ARM', 'Features\t: fp asimd', 'Features\t: fp asimd sve'],
  ])('tells the instruction sets of %s apart', (_, few, more) => {
    const head = 'processor\t: 0\n';
    expect(on(`${head}${few}\n`)).not.toEqual(on(`${head}${more}\n`));
    expect(on(`${head}${few}\n`)).toEqual(on(`${head}${few}\n`));
  });

  it('is not of what changes by itself', () => {
    const at = (mhz: number): string => `flags\t: fpu avx2\ncpu MHz\t: ${mhz}\n`;
    expect(on(at(1200))).toEqual(on(at(3400)));
  });

  it('is there where the system says nothing', () => {
    expect(on('')).toEqual([expect.stringMatching(/^onnxruntime \d/), 'cpu', expect.any(String)]);
  });
});
